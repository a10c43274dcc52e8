package scenario

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/gitlab"
)

// Redacted replaces a secret.
const Redacted = "[redacted]"

// minSecret is the shortest text treated as a secret: shorter ones would blank out
// ordinary words.
const minSecret = 6

// Redactor removes secrets from text. It knows some by value, in the encodings
// they travel in, and others by their shape. It fails safe: when it cannot work,
// nothing of the text is left.
type Redactor struct {
	known *strings.Replacer
	list  []string
	shape *regexp.Regexp
}

// NewRedactor makes a redactor for the given secrets. Those of fewer than six
// bytes are left to the shapes.
func NewRedactor(secrets ...string) *Redactor {
	r := &Redactor{shape: regexp.MustCompile(strings.Join(shapes(), "|"))}
	for _, s := range secrets {
		if len(s) >= minSecret {
			r.list = append(r.list, Encodings(s)...)
		}
	}
	// Longest first, because a replacer takes the first that matches at a place.
	slices.SortFunc(r.list, func(a, b string) int { return len(b) - len(a) })
	r.list = slices.Compact(r.list)
	pairs := make([]string, 0, 2*len(r.list))
	for _, s := range r.list {
		pairs = append(pairs, s, Redacted)
	}
	r.known = strings.NewReplacer(pairs...)
	return r
}

// Redact returns text without secrets.
func (r *Redactor) Redact(text string) (clean string) {
	defer func() {
		if recover() != nil {
			clean = "[redacted: the redactor failed]"
		}
	}()
	if r == nil {
		return "[redacted: no redactor]"
	}
	return r.shape.ReplaceAllString(r.known.Replace(text), Redacted)
}

// Leaks reports whether text holds anything that Redact would remove.
func (r *Redactor) Leaks(text string) bool { return r.Redact(text) != text }

// Encodings returns a secret as it is and in the forms in which it could leave a
// program: URL-escaped, hexadecimal and base64. A base64 text depends on the
// secret's offset in what was encoded, so it gives the part common to each of the
// three offsets.
func Encodings(secret string) []string {
	raw := []byte(secret)
	out := []string{secret, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw))}
	if escaped := url.QueryEscape(secret); escaped != secret {
		out = append(out, escaped)
	}
	for offset := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, offset), raw...))
		text = strings.TrimRight(text, "=")
		// The first characters mix in the bytes before, the last those after.
		from, to := (offset*8+5)/6, (offset+len(raw))*8/6
		if to > from && to <= len(text) {
			part := text[from:to]
			out = append(out, part, strings.NewReplacer("+", "-", "/", "_").Replace(part))
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return len(s) < minSecret })
}

// shapes are patterns (RE2) of secrets that are recognised without being known.
func shapes() []string {
	patterns := []string{
		gitlab.ValuePattern,
		`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?`, // a JWT, signed or not
		`eyJrZXki[A-Za-z0-9_-]{16,}`,                                   // an inline-auth parameter header
		`\b(?:hv)?[sbr]\.[A-Za-z0-9_-]{24,}`,                           // an OpenBao token
		`://[^\s/:@]+:[^\s/@]+@`,                                       // a password in a URL
	}
	for _, part := range Encodings(gitlab.ValuePrefix)[1:] { // an encoded value
		patterns = append(patterns, regexp.QuoteMeta(part)+`[A-Za-z0-9+/_-]*`)
	}
	return patterns
}
