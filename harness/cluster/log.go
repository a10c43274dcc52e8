package cluster

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kind/pkg/log"
)

// logger passes kind's messages for users on, one line each, and drops its debug output.
type logger struct{ write func(string) }

func newLogger(write func(string)) log.Logger {
	if write == nil {
		return log.NoopLogger{}
	}
	return logger{write}
}

func (l logger) line(message string) {
	if message = strings.TrimSpace(message); message != "" {
		l.write(message)
	}
}

func (l logger) Warn(message string)               { l.line("warning: " + message) }
func (l logger) Warnf(format string, args ...any)  { l.Warn(fmt.Sprintf(format, args...)) }
func (l logger) Error(message string)              { l.line("error: " + message) }
func (l logger) Errorf(format string, args ...any) { l.Error(fmt.Sprintf(format, args...)) }

func (l logger) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return log.NoopInfoLogger{}
	}
	return infoLogger{l}
}

type infoLogger struct{ logger }

func (i infoLogger) Info(message string)              { i.line(message) }
func (i infoLogger) Infof(format string, args ...any) { i.line(fmt.Sprintf(format, args...)) }
func (i infoLogger) Enabled() bool                    { return true }
