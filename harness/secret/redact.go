// Package secret keeps secrets inside the process. It knows them by value, as those who read or
// make them have it learn, and by shape; every file, every line of progress and every command line
// that leaves the process goes through it.
package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Redacted replaces a secret in text.
const Redacted = "[redacted]"

// ValuePrefix starts every value of a secret that Steamer seeds, so that a leak is recognised
// without knowing the seed.
const ValuePrefix = "steamer-v1-"

// ValuePattern is a regular expression (RE2) that matches every such value.
const ValuePattern = ValuePrefix + "[a-z2-7]{52}"

// minSecret is the shortest text treated as a secret: shorter ones would blank out
// ordinary words.
const minSecret = 6

// Redactor removes secrets from text. It knows some by value, in the encodings
// they travel in, and others by their shape. It fails safe: when it cannot work,
// nothing of the text is left. It is safe for concurrent use.
type Redactor struct {
	shape, login, setting *regexp.Regexp

	mu    sync.Mutex
	list  map[string]bool   // what to look for: secrets in every encoding
	known *strings.Replacer // over list; nil where list has grown
}

// process is what this process has learned. It is one for all, because a writer that nobody told
// of a secret must withhold it as well.
var process = NewRedactor() //nolint:gochecknoglobals // see above

// Learn makes everything that leaves the process withhold these values from now on. Those of fewer
// than six bytes are left to the shapes.
func Learn(secrets ...string) { process.learn(secrets...) }

// Redact returns text without what the process has learned, and without what has the shape of a
// secret.
func Redact(text string) string { return process.Redact(text) }

// NewRedactor makes a redactor for the given secrets beside those that the process has learned.
// Those of fewer than six bytes are left to the shapes.
func NewRedactor(secrets ...string) *Redactor {
	r := &Redactor{
		shape: regexp.MustCompile(strings.Join(shapes(), "|")),
		login: regexp.MustCompile(`://[^\s/:@]*:[^\s/@]+@`),
		// a password in a URL
		setting: regexp.MustCompile(`(?i)(pass(?:word|wd|phrase)=)('[^']+'|"[^"]+"|[^\s&"'<\[,;][^\s&"',;]*)`),
		// one in a DSN or in an environment
		list: map[string]bool{},
	}
	r.learn(secrets...)
	return r
}

func (r *Redactor) learn(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range secrets {
		for _, form := range []string{s, strings.TrimSpace(s)} { // files end with a line feed that logs do not repeat
			if len(form) < minSecret || r.list[form] {
				continue
			}
			for _, encoded := range Encodings(form) {
				r.list[encoded] = true
			}
			r.known = nil
		}
	}
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
	clean = r.replacer().Replace(text)
	if r != process {
		clean = process.replacer().Replace(clean)
	}
	clean = r.login.ReplaceAllLiteralString(clean, "://"+Redacted+"@")
	clean = r.setting.ReplaceAllString(clean, "${1}"+Redacted)
	return r.shape.ReplaceAllString(clean, Redacted)
}

// Leaks reports whether text holds anything that Redact would remove.
func (r *Redactor) Leaks(text string) bool { return r.Redact(text) != text }

func (r *Redactor) replacer() *strings.Replacer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known != nil {
		return r.known
	}
	// Longest first, because a replacer takes the first that matches at a place.
	all := make([]string, 0, len(r.list))
	for form := range r.list {
		all = append(all, form)
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(all))
	for _, form := range all {
		pairs = append(pairs, form, Redacted)
	}
	r.known = strings.NewReplacer(pairs...)
	return r.known
}

// redactJSON redacts the strings of a JSON text, or of several after each other, and leaves the
// rest as it is: a secret is found however it is escaped, and the text stays JSON.
func redactJSON(data []byte) []byte {
	return regexp.MustCompile(`"(?:[^"\\]|\\.)*"`).ReplaceAllFunc(data, func(literal []byte) []byte {
		var text string
		if json.Unmarshal(literal, &text) != nil {
			return []byte(`"` + Redacted + `"`)
		}
		clean := Redact(text)
		if clean == text {
			return literal
		}
		var out bytes.Buffer
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(clean) // a string has an encoding
		return bytes.TrimSpace(out.Bytes())
	})
}

// Encodings returns a secret as it is and in the forms in which it could leave a
// program: escaped for a URL, JSON or HTML, hexadecimal and base64. A base64 text depends on the
// secret's offset in what was encoded, so it gives the part common to each of the
// three offsets.
func Encodings(secret string) []string {
	raw := []byte(secret)
	out := []string{secret, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw))}
	quoted, _ := json.Marshal(secret) // a string has an encoding
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(quoted))
	for _, escaped := range []string{
		url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret), strings.Trim(string(quoted), `"`),
		strings.Trim(plain, `"`),
	} {
		if !slices.Contains(out, escaped) {
			out = append(out, escaped)
		}
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
		ValuePattern,
		`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?`,                     // a JWT, signed or not
		`eyJrZXki[A-Za-z0-9_-]{16,}`,                                                       // an inline-auth parameter header
		`\b(?:hv)?[sbr]\.[A-Za-z0-9_-]{24,}`,                                               // an OpenBao token
		`\bgl[a-z]{2,8}-[A-Za-z0-9_.-]{20,}`,                                               // a GitLab token
		`-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`, // a key, or what a log has of it
	}
	for _, part := range Encodings(ValuePrefix)[1:] { // an encoded value
		patterns = append(patterns, regexp.QuoteMeta(part)+`[A-Za-z0-9+/_-]*`)
	}
	return patterns
}
