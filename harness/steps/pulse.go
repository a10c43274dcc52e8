package steps

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// How long nothing may be shown while something runs: on a terminal, where the line is overwritten,
// and elsewhere.
const (
	terminalSilence = 2 * time.Second
	silence         = 20 * time.Second
)

// pulse is what a Text knows of running steps and pieces of them, to show that they still run.
type pulse struct {
	running []running // in the order in which they began
	counted string    // how far the latest that counts has come
	shown   time.Time // when something was shown last
	timer   *time.Timer
}

type running struct {
	what    string
	step    bool // not a piece of one
	started time.Time
}

// begin notes that something runs, and sees to it that a line says so now and then.
func (t *Text) begin(what string, step bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pulse.running = append(t.pulse.running, running{what, step, time.Now()})
	if t.pulse.timer == nil && t.Level <= slog.LevelInfo {
		t.pulse.timer = time.AfterFunc(t.silence(), t.beat)
	}
}

// end notes that something has ended. With the last step, its pieces have ended too: those that
// failed do not report it.
func (t *Text) end(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.pulse
	at := slices.IndexFunc(p.running, func(r running) bool { return r.what == what })
	if at < 0 {
		return
	}
	step := p.running[at].step
	p.running, p.counted = slices.Delete(p.running, at, at+1), ""
	if step && !slices.ContainsFunc(p.running, func(r running) bool { return r.step }) {
		p.running = nil
	}
	if len(p.running) == 0 && p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

func (t *Text) count(what string, done, total int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pulse.counted = ""
	if done < total {
		t.pulse.counted = fmt.Sprintf("; %s: %d of %d", what, done, total)
	}
}

func (t *Text) silence() time.Duration {
	if t.Terminal {
		return terminalSilence
	}
	return silence
}

// beat shows what runs and for how long, where nothing was shown for a while.
func (t *Text) beat() {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.pulse
	if p.timer == nil { // everything ended while this waited
		return
	}
	if left := t.silence() - time.Since(p.shown); left > 0 {
		p.timer.Reset(left)
		return
	}
	all := make([]string, len(p.running))
	for i, r := range p.running {
		all[i] = fmt.Sprintf("%s (%s)", r.what, time.Since(r.started).Round(time.Second))
	}
	show := t.write
	if t.Terminal {
		show = t.overwrite
	}
	show("    … %s%s", strings.Join(all, ", "), p.counted)
	p.timer.Reset(t.silence())
}
