package secret

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// Withheld takes the place of a value in a command line or plan that somebody has to complete
// before it can be used again.
const Withheld = "<withheld>"

// IsWithheld reports whether a value that was given is only the place of one.
func IsWithheld(value string) bool { return strings.Contains(value, Withheld) }

// secretWords make the name of a flag, variable or key that of a secret.
func secretWords() []string {
	return []string{
		"password", "passwords", "passwd", "passphrase", "pass", "pwd", "secret", "secrets", "token", "tokens", "key", "keys",
		"apikey",
		"privatekey", "credential", "credentials", "creds", "dsn",
	}
}

// aboutWords end names that say something about a secret and do not hold it, such as secretName or
// tokenTTL.
func aboutWords() []string {
	return []string{
		"name", "names", "namespace", "ref", "file", "path", "mount", "id", "ttl", "type", "policy", "policies", "enabled",
		"create", "version", "size",
		"algorithm", "class", "role", "roles", "user", "username", "method", "methods", "audience", "issuer", "shares",
		"threshold", "period", "url",
	}
}

var wordStart = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// words splits a name in camel case, kebab case or snake case, in lower case.
func words(name string) []string {
	return strings.FieldsFunc(strings.ToLower(wordStart.ReplaceAllString(name, "$1 $2")), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// sensitive reports whether what has this name may be a secret: a key of values or of a Secret, a
// flag or a variable. Names that say where a secret is, such as existingSecret or secretName, are
// none. It errs to the safe side.
func sensitive(name string) bool {
	all := words(name)
	if len(all) == 0 || all[0] == "existing" || slices.Contains(aboutWords(), all[len(all)-1]) {
		return false
	}
	return slices.ContainsFunc(all, func(w string) bool {
		return slices.ContainsFunc(secretWords(), func(s string) bool {
			return w == s || len(s) > 4 && strings.HasSuffix(w, s) // PGPASSWORD
		})
	})
}

// sensitivePath is sensitive of a path such as a.b[0].c: what is below a sensitive name is
// sensitive, unless its own name says otherwise.
func sensitivePath(path string) bool {
	parts := strings.Split(path, ".")
	last := words(parts[len(parts)-1])
	if len(last) > 0 && (last[0] == "existing" || slices.Contains(aboutWords(), last[len(last)-1])) {
		return false
	}
	return slices.ContainsFunc(parts, sensitive)
}

// ordinary reports whether a value is one that no name makes a secret: a switch, or words about
// secrets such as postgres-password, which is the name of a key.
func ordinary(value string) bool {
	switch strings.ToLower(value) {
	case "", "true", "false", "null", "none":
		return true
	}
	about := append(secretWords(), "postgres", "postgresql", "db", "database", "openbao", "bao", "vault", "gitlab", "root",
		"unseal", "admin", "static")
	for _, word := range words(value) {
		if !slices.Contains(about, word) {
			return false
		}
	}
	return true
}

// LearnValues has the process withhold what sensitive keys of a chart's values hold.
func LearnValues(values map[string]any) { learnTree("", values) }

func learnTree(path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		_, name := v["secret"].(string)
		_, key := v["key"].(string)
		for k, inner := range v {
			if name && key && (k == "secret" || k == "key") {
				continue // both together say where a secret is
			}
			learnTree(join(path, k), inner)
		}
	case []any:
		for _, inner := range v {
			learnTree(path, inner)
		}
	case string:
		learnText(path, v)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// learnText learns a value that has a sensitive name, and what an URL holds whatever its name.
func learnText(path, value string) {
	if sensitivePath(path) && !ordinary(value) && !(onlyKey(path) && nameLike(value)) {
		Learn(value)
	}
	if at, err := url.Parse(value); err == nil && at.User != nil {
		if password, given := at.User.Password(); given {
			Learn(password)
		}
	}
}

// LearnSecret has the process withhold the data of a Kubernetes Secret. What only looks like a
// name under a name that is not sensitive stays: a user "openbao" is no secret, and the word is
// everywhere. Of text with structure the sensitive keys are learned as well as the whole.
func LearnSecret(data map[string][]byte) {
	for key, raw := range data {
		text := string(raw)
		switch {
		case !utf8.ValidString(text):
			Learn(text)
		case !nameLike(strings.TrimSpace(text)):
			Learn(text)
		}
		learnText(key, strings.TrimSpace(text))
		tree := map[string]any{}
		if strings.ContainsAny(text, "\n{") && yaml.Unmarshal(raw, &tree) == nil {
			learnTree("", tree)
		}
	}
}

// onlyKey reports whether nothing but the word "key" makes a path sensitive: the key of a
// toleration is one of many that are not secret.
func onlyKey(path string) bool {
	for _, part := range strings.Split(path, ".") {
		all := words(part)
		rest := slices.DeleteFunc(all, func(w string) bool { return w == "key" || w == "keys" })
		if sensitive(strings.Join(rest, "-")) {
			return false
		}
	}
	return true
}

var nameWord = regexp.MustCompile(`^([A-Za-z]+|[0-9]{1,5})$`)

// nameLike reports whether a value consists of words and small numbers, as names, hosts and
// addresses do.
func nameLike(value string) bool {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune("-_.:/,", r) }) {
		if !nameWord.MatchString(word) {
			return false
		}
	}
	return true
}
