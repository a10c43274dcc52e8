package steps_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
)

// report shows one of everything.
func report(ui steps.UI) {
	ui.Start("cloud-native", "install")
	ui.Work("image node", 1.5)
	ui.Note("a note")
	ui.Progress("tenants", 3, 50)
	ui.Scenario("cloud-native", result.Scenario{ID: "a/good", Status: result.Passed})
	ui.Scenario("cloud-native", result.Scenario{ID: "a/bad", Status: result.Failed, Reason: "a reason"})
	ui.Interval(result.Interval{Offset: 7}, time.Minute)
	ui.Done("cloud-native", "install", time.Second, errors.New("a cause"))
}

// TestLevels: failures are always shown, seconds of load only where every detail is.
func TestLevels(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level][2][]string{
		slog.LevelWarn:  {{"a/bad", "a reason", "a cause"}, {"a note", "a/good", "image node", "7 of 60 s", "3 of 50"}},
		slog.LevelInfo:  {{"a/bad", "a cause", "a note", "a/good", "image node"}, {"7 of 60 s", "3 of 50"}},
		slog.LevelDebug: {{"a/bad", "a cause", "a note", "a/good", "7 of 60 s", "3 of 50"}, nil},
	} {
		var out bytes.Buffer
		report(&steps.Text{W: &out, Level: level})
		for _, text := range want[0] {
			require.Contains(t, out.String(), text, level)
		}
		for _, text := range want[1] {
			require.NotContains(t, out.String(), text, level)
		}
	}
}

// TestLog: every line is a JSON object, and a step that failed is an error.
func TestLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	report(steps.Log{Logger: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 8)
	levels := map[string]any{}
	for _, line := range lines {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		text, _ := record["msg"].(string)
		levels[text] = record["level"]
	}
	require.Equal(t, map[string]any{
		"step started": "INFO", "work done": "INFO", "a note": "INFO", "progress": "DEBUG", "scenario": "WARN",
		"load": "DEBUG", "step failed": "ERROR",
	}, levels)
}
