package steps

import (
	"context"
	"log/slog"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// Log is a UI that logs: a record for what Text shows as a line.
type Log struct{ Logger *slog.Logger }

// Start logs the begin of a step.
func (l Log) Start(topology, step string) {
	l.Logger.Info("step started", "topology", topology, "step", step)
}

// Done logs the end of a step and how long it took.
func (l Log) Done(topology, step string, took time.Duration, err error) {
	attributes := []any{"topology", topology, "step", step, "seconds", took.Seconds()}
	if err != nil {
		l.Logger.Error("step failed", append(attributes, "error", err.Error())...)
		return
	}
	l.Logger.Info("step done", attributes...)
}

// Note logs a message.
func (l Log) Note(message string) { l.Logger.Info(message) }

// Work logs pieces of a step.
func (l Log) Work(what string, seconds float64) {
	if seconds < 0 {
		l.Logger.Info("work started", "work", what)
		return
	}
	l.Logger.Info("work done", "work", what, "seconds", seconds)
}

// Progress logs every count at level debug, and the last one at level info.
func (l Log) Progress(what string, done, total int) {
	level := slog.LevelDebug
	if done == total {
		level = slog.LevelInfo
	}
	l.Logger.Log(context.Background(), level, "progress", "of", what, "done", done, "total", total)
}

// Scenario logs one outcome.
func (l Log) Scenario(topology string, s result.Scenario) {
	l.Logger.Log(context.Background(), scenarioLevel(s), "scenario", "topology", topology,
		"shard", s.Shard, "id", s.ID, "status", s.Status,
		"seconds", s.Seconds, "reason", s.Reason)
}

// Interval logs a second of load at level debug, and every fifteenth at level info.
func (l Log) Interval(iv result.Interval, length time.Duration) {
	level := slog.LevelDebug
	if int(iv.Offset)%15 == 0 {
		level = slog.LevelInfo
	}
	l.Logger.Log(context.Background(), level, "load", "offset", iv.Offset, "length", length.Seconds(),
		"phase", iv.Phase, "fetches", iv.Fetches, "p50_ms", iv.P50, "p99_ms", iv.P99, "failed", iv.Failed,
		"wrong", iv.Wrong)
}

// scenarioLevel is how important an outcome is: one that failed is shown to those, too, who want
// to see little.
func scenarioLevel(s result.Scenario) slog.Level {
	if s.Status == result.Failed {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
