package scenario

import (
	"regexp"
	"strings"
)

// section is the head of a part of testify's failure messages; what follows a head is indented
// further.
var section = regexp.MustCompile(`^\t?(Error Trace|Error|Test|Messages):\s*(.*)$`)

// readable turns testify's message, whose first lines are a stack, into one sentence: what was
// expected, and what was wrong. Other messages stay as they are. The whole message is in the log.
func readable(message string) string {
	if !strings.HasPrefix(message, "Error Trace:") {
		return message
	}
	parts := map[string][]string{}
	name := ""
	for _, line := range strings.Split(message, "\n") {
		if m := section.FindStringSubmatch(line); m != nil {
			name, line = m[1], m[2]
		}
		if line = strings.TrimSpace(line); line != "" {
			parts[name] = append(parts[name], line)
		}
	}
	what, _, _ := strings.Cut(strings.Join(parts["Error"], " "), " Diff: ")
	if asked := strings.Join(parts["Messages"], " "); asked != "" {
		what = asked + ": " + what
	}
	if what = strings.Join(strings.Fields(what), " "); what == "" {
		return message
	}
	return what
}
