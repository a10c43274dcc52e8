package render

import (
	"fmt"
	"io"
	"strings"
)

// Document is what a report says, whatever it is read in: headings, paragraphs, lists, tables and
// pictures in their order. Markdown and Text write it. Texts may come from outside, since the
// writers make them safe; only Strong, Literal and ToSection give a text a form.
type Document struct{ blocks []block }

// block is a part of a document in the forms that it can be written in; an empty form leaves it
// out.
type block struct{ markdown, text string }

func (d *Document) add(markdown, text string) { d.blocks = append(d.blocks, block{markdown, text}) }

// Title adds a heading; level is 1 to 6.
func (d *Document) Title(level int, format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	d.add(strings.Repeat("#", level)+" "+markdownOf(s), textOf(s))
}

// Section is Title at level 2 with a name that ToSection leads to.
func (d *Document) Section(name, title string) {
	d.add(fmt.Sprintf("<a id=%q></a>", name), "")
	d.Title(2, "%s", title)
}

// Say adds a paragraph.
func (d *Document) Say(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	d.add(markdownOf(s), textOf(s))
}

// List adds a list, nothing without items.
func (d *Document) List(items ...string) {
	var markdown, text []string
	for _, s := range items {
		markdown, text = append(markdown, "- "+markdownOf(s)), append(text, "  - "+textOf(s))
	}
	if len(items) > 0 {
		d.add(strings.Join(markdown, "\n"), strings.Join(text, "\n"))
	}
}

// Table adds a table.
func (d *Document) Table(t Table) {
	var text strings.Builder
	_ = t.Text(&text) // a Builder takes everything
	d.add(strings.TrimSuffix(t.Markdown(), "\n"), strings.TrimSuffix(text.String(), "\n"))
}

// Verbatim adds lines that keep their columns, such as a drawing of characters.
func (d *Document) Verbatim(lines ...string) {
	text := strings.ReplaceAll(Clean(strings.Join(lines, "\n")), "`", "'")
	d.add("```text\n"+text+"\n```", text)
}

// Picture adds a picture with its name; file is relative to the document. A terminal shows none.
func (d *Document) Picture(name, file string) {
	d.add(fmt.Sprintf("![%s](%s)", markdownOf(name), file), "")
}

// Markdown is the document in Markdown.
func (d *Document) Markdown() string {
	var all []string
	for _, b := range d.blocks {
		all = append(all, b.markdown)
	}
	return strings.Join(all, "\n\n") + "\n"
}

// Text writes the document for a terminal.
func (d *Document) Text(w io.Writer) error {
	var all []string
	for _, b := range d.blocks {
		if b.text != "" {
			all = append(all, b.text)
		}
	}
	_, err := io.WriteString(w, strings.Join(all, "\n\n")+"\n")
	return err
}

// The marks of forms in a text are runes that Unicode gives to nobody. A text from outside that
// has them gets the form of its neighbours, no more.
const (
	strong, literal              = "\uE000", "\uE001" // before and after
	linkBegin, linkTo, linkEnded = "\uE002", "\uE003", "\uE004"
)

// Strong is text that stands out.
func Strong(s string) string { return strong + s + strong }

// Literal is text as it is typed, such as a command.
func Literal(s string) string { return literal + s + literal }

// ToSection is text that leads to the section of that name.
func ToSection(name, s string) string { return linkBegin + s + linkTo + name + linkEnded }

var (
	asMarkdown = strings.NewReplacer(strong, "**", linkBegin, "[", linkTo, "](#", linkEnded, ")")
	asText     = strings.NewReplacer(strong, "", literal, "", linkBegin, "", linkTo, " (", linkEnded, ")")
)

func markdownOf(s string) string {
	parts := strings.Split(Plain(s), literal) // every second one is literal
	for i, part := range parts {
		if i%2 == 0 {
			parts[i] = asMarkdown.Replace(escape(part))
		} else {
			parts[i] = Code(part)
		}
	}
	return strings.Join(parts, "")
}

func textOf(s string) string { return asText.Replace(Plain(s)) }
