package steps

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// UI shows progress as lines of text, and on a terminal also a line that is overwritten.
type UI interface {
	Start(topology, step string)
	Done(topology, step string, took time.Duration, err error)
	Note(message string)
	Work(what string, seconds float64) // a piece of a step; seconds < 0 when it starts
	Progress(what string, done, total int)
	Scenario(topology string, s result.Scenario) // topology is empty where there is one at a time
	Interval(iv result.Interval, length time.Duration)
}

// Text is a UI on a writer.
type Text struct {
	W        io.Writer
	Terminal bool // W understands carriage returns
	// Level is the least important that is shown: slog.LevelInfo, the zero value, is the usual
	// amount; slog.LevelWarn only what failed; slog.LevelDebug every second of load.
	Level slog.Level

	mu    sync.Mutex
	live  bool // the cursor is on a line that may be overwritten
	pulse pulse
}

func (t *Text) line(level slog.Level, format string, args ...any) {
	if level < t.Level {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write(format, args...)
}

// write shows a line; t.mu is held.
func (t *Text) write(format string, args ...any) {
	t.pulse.shown = time.Now()
	if t.live {
		fmt.Fprint(t.W, "\r\033[K")
		t.live = false
	}
	fmt.Fprintf(t.W, format+"\n", args...)
}

func (t *Text) status(format string, args ...any) {
	if !t.Terminal || t.Level > slog.LevelInfo {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.overwrite(format, args...)
}

// overwrite shows a line that the next one replaces; t.mu is held.
func (t *Text) overwrite(format string, args ...any) {
	t.pulse.shown = time.Now()
	fmt.Fprintf(t.W, "\r\033[K"+format, args...)
	t.live = true
}

func label(topology, step string) string {
	if topology == "" {
		return step
	}
	return topology + ": " + step
}

// Start announces a step.
func (t *Text) Start(topology, step string) {
	t.line(slog.LevelInfo, "▶ %s", label(topology, step))
	t.begin(label(topology, step), true)
}

// Done reports the end of a step and how long it took.
func (t *Text) Done(topology, step string, took time.Duration, err error) {
	t.end(label(topology, step))
	if err != nil {
		t.line(slog.LevelError, "✗ %s (%.1f s): %v", label(topology, step), took.Seconds(), err)
		return
	}
	t.line(slog.LevelInfo, "✓ %s (%.1f s)", label(topology, step), took.Seconds())
}

// Note prints a message below the step it belongs to.
func (t *Text) Note(message string) { t.line(slog.LevelInfo, "    %s", message) }

// Work reports pieces of a step.
func (t *Text) Work(what string, seconds float64) {
	if seconds < 0 {
		t.line(slog.LevelInfo, "    … %s", what)
		t.begin(what, false)
		return
	}
	t.end(what)
	t.line(slog.LevelInfo, "    ✓ %s (%.1f s)", what, seconds)
}

// Progress counts towards a total: on a terminal always, elsewhere at the quarters.
func (t *Text) Progress(what string, done, total int) {
	t.count(what, done, total)
	if quarter := max(1, total/4); done%quarter == 0 || done == total || t.Level < slog.LevelInfo {
		t.line(slog.LevelInfo, "    %s: %d of %d", what, done, total)
		return
	}
	t.status("    %s: %d of %d", what, done, total)
}

// Scenario reports one outcome.
func (t *Text) Scenario(topology string, s result.Scenario) {
	if s.Shard > 0 {
		topology = fmt.Sprintf("%s/%d", topology, s.Shard)
	}
	if topology != "" {
		topology += " "
	}
	mark := map[result.Status]string{result.Passed: "✓", result.Failed: "✗", result.Skipped: "–"}[s.Status]
	if s.Reason != "" {
		t.line(scenarioLevel(s), "    %s %s%s (%.1f s): %s", mark, topology, s.ID, s.Seconds, s.Reason)
		return
	}
	t.line(slog.LevelInfo, "    %s %s%s (%.1f s)", mark, topology, s.ID, s.Seconds)
}

// Interval reports a second of load: on a terminal each, elsewhere every fifteenth. What answers
// after the end of the load is left out: its seconds have few fetches, and look like a stall.
func (t *Text) Interval(iv result.Interval, length time.Duration) {
	if iv.Offset >= length.Seconds() {
		return
	}
	format := "    %3.0f of %.0f s, %s: %d fetches/s, p50 %.1f ms, p99 %.1f ms, %d failed, %d wrong"
	args := []any{iv.Offset, length.Seconds(), iv.Phase, iv.Fetches, iv.P50, iv.P99, iv.Failed, iv.Wrong}
	if int(iv.Offset)%15 == 0 || t.Level < slog.LevelInfo {
		t.line(slog.LevelInfo, format, args...)
		return
	}
	t.status(format, args...)
}

// Quiet is a UI that shows nothing, for runs inside something that reports by itself.
func Quiet() UI { return &Text{W: io.Discard} }
