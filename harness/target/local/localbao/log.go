package localbao

import (
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/secret"
)

// Lines of a log that are kept around a panic, and at its end where there is none: what OpenBao
// writes while it seals itself comes after the error that made it.
const (
	linesBefore = 1
	linesAfter  = 10
	linesAtEnd  = 24
)

// Panicked reports whether a log has the line by which a Go program says why it ends.
func Panicked(log string) bool { return panicAt(strings.Split(log, "\n")) >= 0 }

// panicAt is the place of that line, -1 for none.
func panicAt(lines []string) int {
	return slices.IndexFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
	})
}

// LastWords are the lines of a log that say why its process ended: those around a panic, else the
// last ones.
func LastWords(log string) []string {
	lines := strings.FieldsFunc(secret.Redact(log), func(r rune) bool { return r == '\n' })
	from, to := max(0, len(lines)-linesAtEnd), len(lines)
	if at := panicAt(lines); at >= 0 {
		from, to = max(0, at-linesBefore), min(len(lines), at+linesAfter)
	}
	return lines[from:to]
}
