// Package render is what all reports are made with: text that is safe where it goes, numbers,
// tables and plots.
package render

import (
	"regexp"
	"strings"
)

// Clean drops what may not be in CDATA even escaped: control characters other
// than tab and newline (XML 1.0, section 2.2), and the end mark of CDATA.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r == '\uFFFE' || r == '\uFFFF' {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.ReplaceAll(s, "]]>", "]] >")
}

// Plain puts s on one line and drops what a terminal would obey.
func Plain(s string) string { return strings.Join(strings.Fields(Clean(s)), " ") }

var (
	markdown = strings.NewReplacer("|", "\\|", "<", "&lt;", ">", "&gt;", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[",
		"]", "\\]", "$", "\\$")
	references = regexp.MustCompile(`([@#!~%])([\pL\pN_])`)
)

// Cell makes s safe inside a cell of a Markdown table or a list item: no structure, no HTML,
// and none of the mentions and references that GitLab would act on.
func Cell(s string) string { return escape(Plain(s)) }

// escape is Cell for a part of a line.
func escape(s string) string { return references.ReplaceAllString(markdown.Replace(s), "$1\u200b$2") }

// Code makes s an inline code span of Markdown.
func Code(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "\\|").Replace(Plain(s)) + "`"
}
