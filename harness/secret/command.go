package secret

import (
	"net/url"
	"strings"
)

// CommandLine renders a command so that a shell reads its arguments back as they were, but for
// secrets, whose place Withheld takes: values of flags and of --set assignments with a sensitive
// name, passwords in URLs, and whatever the process has learned.
func CommandLine(program string, args []string) string {
	line := []string{program}
	for _, arg := range withhold(args) {
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'\\$`&|;<>()[]{}*?!#~") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		line = append(line, arg)
	}
	return strings.Join(line, " ")
}

// LearnArguments has the process withhold what flags with a sensitive name hold.
func LearnArguments(args []string) {
	for i, arg := range args {
		name, value, given := strings.Cut(arg, "=")
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		if sensitiveFlag(name) && !ordinary(value) {
			Learn(value)
		}
	}
}

// withhold returns the arguments without secrets.
func withhold(args []string) []string {
	out := make([]string, len(args))
	flag := "" // whose value the next argument is
	for i, arg := range args {
		name, value, given := strings.Cut(arg, "=")
		switch {
		case flag != "":
			out[i], flag = flagValue(flag, arg), ""
		case strings.HasPrefix(arg, "-") && given:
			out[i] = name + "=" + flagValue(name, value)
		case strings.HasPrefix(arg, "-"):
			out[i] = Redact(arg)
			if takesAssignment(arg) || sensitiveFlag(arg) {
				flag = arg
			}
		default:
			out[i] = clean(arg)
		}
	}
	return out
}

// sensitiveFlag is sensitive for flags. Flags with a plural count.
func sensitiveFlag(name string) bool {
	return strings.HasPrefix(name, "--") && !strings.HasSuffix(name, "s") && !takesAssignment(name) && sensitive(name)
}

// takesAssignment reports whether a flag's value is in the syntax of Helm's --set.
func takesAssignment(flag string) bool { return flag == "--set" || strings.HasPrefix(flag, "--set-") }

func flagValue(flag, value string) string {
	switch {
	case takesAssignment(flag):
		return Assignment(value)
	case sensitiveFlag(flag):
		return Withheld
	}
	return clean(value)
}

// clean is a value whose name says nothing about it.
func clean(value string) string {
	if at, err := url.Parse(value); err == nil && at.User != nil && at.Host != "" {
		_, rest, _ := strings.Cut(value, "@")
		return at.Scheme + "://" + Withheld + "@" + Redact(rest)
	}
	return strings.ReplaceAll(Redact(value), Redacted, Withheld)
}

// Assignment returns a --set assignment, or several with commas between, with Withheld in place of
// the values that are secrets.
func Assignment(text string) string {
	parts := assignments(text)
	for i, part := range parts {
		key, value, given := strings.Cut(part, "=")
		switch {
		case !given:
			parts[i] = clean(part)
		case sensitivePath(key) && !isSwitch(value), strings.ContainsAny(value, "{[") && mentions(value):
			parts[i] = key + "=" + Withheld
		default:
			parts[i] = key + "=" + clean(value)
		}
	}
	return strings.Join(parts, ",")
}

func isSwitch(value string) bool {
	return value == "" || value == "true" || value == "false" || value == "null"
}

// mentions reports whether a value with structure has a sensitive word in it.
func mentions(value string) bool {
	for _, word := range words(value) {
		if sensitive(word) {
			return true
		}
	}
	return false
}

// assignments splits at the commas that Helm splits at: those that are neither escaped nor in
// braces or brackets.
func assignments(text string) []string {
	var parts []string
	depth, start, escaped := 0, 0, false
	for i, r := range text {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == '{' || r == '[':
			depth++
		case r == '}' || r == ']':
			depth--
		case r == ',' && depth <= 0:
			parts, start = append(parts, text[start:i]), i+1
		}
	}
	return append(parts, text[start:])
}
