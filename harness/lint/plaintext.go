package lint

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// secretWord is how texts name a password, or a key that is as good as one.
const secretWord = `(?:password|passwd|passphrase|secret_?(?:access_?)?key(?:_base)?|client_?secret)`

// passwords are the forms in which texts give a password; the first group is the password, in
// quotes or not.
var passwords = []struct {
	what string
	form *regexp.Regexp
}{
	{"a password in a URL", regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^\s/:@"'<]*:([^\s/@"'<]+(?:@[^\s/@"'<]+)*)@`)},
	{
		"a password in a connection string",
		regexp.MustCompile(`[\w.-]+:([^\s/@:"']+)@(?:tcp|unix)\(|:thin:[^\s/@]+/([^\s/@]+)@`),
	},
	{
		"a password in a connection string",
		regexp.MustCompile(`(?i)(?:` + secretWord + `|(?:^|[\W_])(?:pwd|pass|bindpass))(?:\s*=|['"]?\s*=>)\s*` +
			`(?:('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|([^\s"'&;,)=~>\\][^\s"'&;,)\\]*)(?:[\s"'&;\\]|$))`),
	},
	{
		"a password",
		regexp.MustCompile(`(?i)(?:` + secretWord + `|current_key|previous_key|bindpass|"token)\\*"\s*:\s*` +
			`(?:\\*("(?:[^"\\])*)|(\d{4,}))`),
	},
	{
		"a password",
		regexp.MustCompile(`(?im)^\s*(?:current_key|previous_key|access_key|secret_id|token)\s*=\s*("[^"\n]*")`),
	},
	{
		"a password",
		regexp.MustCompile(`(?im)^[ \t]*(?:- )?'?[\w.-]*(?:password|passwd|passphrase)'?:[ \t]+` +
			`(?:[|>][-+]?[ \t]*\n[ \t]+|&\w+[ \t]+)?([^\s#|>{\[&*!].*)$`),
	},
	{
		"a password",
		regexp.MustCompile(`(?im)(?:[{,]\s*['"]?|^[ \t]*")[\w.-]*(?:password|passwd|passphrase)['"]?:\s+` +
			`([^\s"'{\[,}*!][^,}\n]*|"[^"\n]*"|'[^'\n]*')`),
	},
	{"a password", regexp.MustCompile(`(?i)<[\w.-]*(?:password|passwd|passphrase)>([^<]+)<`)},
	{"a password", regexp.MustCompile(`(?im)(?:\blogin\s+\S+\s+password|^\s*(?:requirepass|masterauth))\s+(\S+)`)},
	{"a password in a header", regexp.MustCompile(`(?i)authorization\W+(?:basic|bearer)\s+([A-Za-z0-9+/=._~-]{6,})`)},
	{
		"a token in a header",
		regexp.MustCompile(`(?i)\b(?:x-(?:vault|bao|gitlab)-token|private-token|x-api-key)\s*:\s*([^\s"'\\]+)`),
	},
}

// placeholders are what stands in a text for something that is put there later: references of
// Kubernetes, of shells and of programs, templates, and signs that mean a text of one's own.
var placeholders = regexp.MustCompile(`\$?\$\([^)]*\)?|\$(?:__\w+)?\{[^}]*\}|^\$(?:\d|[A-Za-z_]\w*)$|` +
	`\{\{.*?\}\}|\[\[.*?\]\]|%\(\w+\)s|%[a-z]|^<.*>$|__[A-Z_]+__|@@?[A-Z_]+@@?|^\*+$|^[xX]+$|^\.+$`)

// noPassword fits what follows the word password in a text without being one: a switch, where the
// password is, what a program computes.
var noPassword = regexp.MustCompile(`^(?:(?i:true|false|null|nil|none|~|yes|no|-|\d{1,3}|/.*)|` +
	`(?:[a-z]+\+)?(?:file|env|vault|secret|secretref):.*|` +
	"`.*|" + `[\w.]+[\[(].*|(?:\w+\.)+pass\w*|[A-Z_]*(?:PASS|TOKEN|SECRET)[A-Z_]*|(?:str|string|bool|int|Optional)\b.*)$`)

// password says whether what stands where a password belongs is one: something is left of it
// without placeholders.
func password(text string) bool {
	text = strings.Trim(strings.TrimSpace(text), `"'`)
	return !noPassword.MatchString(text) && strings.TrimSpace(placeholders.ReplaceAllString(text, "")) != ""
}

// patterns are what a secret looks like.
var patterns = []struct {
	what string
	form *regexp.Regexp
}{
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAGE-SECRET-KEY-1`)},
	{"a JWT", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+`)},
	{"an OpenBao or Vault token", regexp.MustCompile(`\b(hv)?[sbr]\.[A-Za-z0-9_-]{24,}\b`)},
	{"a GitLab token", regexp.MustCompile(`\bgl(pat|ptt|dt|rt|rtr|soat|cbt|ft|imt|agent|oas|ffct)-[A-Za-z0-9_-]{20,}`)},
	{"a GitHub token", regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})`)},
	{"an AWS access key", regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`)},
	{"a Google key", regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{35}`)},
	{"a Slack token", regexp.MustCompile(`\bxox[abprs]-[A-Za-z0-9-]{20,}|//hooks\.slack\.com/services/T\w+/B\w+/\w+`)},
	{"a token", regexp.MustCompile(`\bnpm_[A-Za-z0-9]{36}\b|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`)},
	{"a registry's password", regexp.MustCompile(`(?s)"auths"\s*:.*"auth"\s*:\s*"[A-Za-z0-9+/=]+"`)},
}

// secretVariable fits variables that hold a secret; those that name a file of one do not end like
// it.
var secretVariable = regexp.MustCompile(
	`(?i)(?:PASSWORD|PASSWD|PASSPHRASE|(?:^|[_.-])(?:PASS|PWD|TOKEN|SECRET|SECRET_ID|` +
		`SECRET_KEY(?:_BASE)?|(?:PRIVATE|ACCESS|ENCRYPTION|UNSEAL|CURRENT|PREVIOUS)_KEY|API_?KEY|REDISCLI_AUTH|` +
		`CREDENTIALS?))$`)

// secretField fits the fields of any kind that hold a password. Others may hold a Secret's name.
var secretField = regexp.MustCompile(`(?i)(?:password|passwd|passphrase)$`)

// readable is a text that whoever may read the object sees.
type readable struct {
	path, text string
	name       string // of what it is the value, where it may hold a secret itself
}

// readables lists the texts in a part of an object.
func readables(path string, node any) []readable {
	var all []readable
	switch node := node.(type) {
	case string:
		all = append(all, readable{path: path, text: node})
	case []any:
		for i, value := range node {
			all = append(all, readables(fmt.Sprintf("%s[%d]", path, i), value)...)
			if text, _ := value.(string); i > 0 && text != "" && text[0] != '-' {
				if flag, _ := node[i-1].(string); strings.HasPrefix(flag, "-") && secretField.MatchString(flag) {
					all[len(all)-1].name = flag
				}
			}
		}
	case map[string]any:
		isData := path == "data" || path == "binaryData"
		for key, value := range node {
			below := strings.TrimPrefix(path+"."+key, ".")
			if isData || strings.HasSuffix(path, "annotations") {
				below = path + "[" + key + "]"
			}
			text, isText := value.(string)
			variable, _ := node["name"].(string)
			decoded, err := base64.StdEncoding.DecodeString(text)
			switch isVariable := secretVariable.MatchString(variable) && key == "value"; {
			case !isText:
				all = append(all, readables(below, value)...)
			case path == "binaryData" && err == nil:
				all = append(all, readable{path: below, text: string(decoded)})
			case isVariable || secretField.MatchString(key) || isData && secretVariable.MatchString(key):
				all = append(all, readable{below, text, cmp.Or(map[bool]string{true: variable}[isVariable], key)})
			case strings.Contains(path, ".httpHeaders[") && key == "value":
				all = append(all, readable{path: path, text: variable + ": " + text})
			default:
				all = append(all, readable{path: below, text: text})
			}
		}
	}
	return all
}

// open fits the places of an object where a text is not the name of something.
var open = regexp.MustCompile(`^(?:data|binaryData)\[|annotations\[|\.(?:command|args)\[\d+\]$|\.env\[\d+\]\.value$|` +
	`\.httpHeaders\[\d+\]$`)

func plaintext(_ *subject, o *Object) []Finding {
	if o.GVK.Kind == "Secret" && o.GVK.Group == "" {
		return nil
	}
	var all []Finding
	for _, c := range readables("", o.Tree) {
		if c.name != "" && password(c.text) && !strings.Contains(c.text, "\n") {
			all = append(all, at(o, c.path, c.name+" has a literal value"))
		}
		told := ""
		for _, form := range passwords {
			for _, match := range form.form.FindAllStringSubmatch(c.text, -1) {
				if told != form.what && password(strings.Join(match[1:], "")) {
					told = form.what
					all = append(all, at(o, c.path, "holds what looks like "+form.what))
				}
			}
		}
		for _, pattern := range patterns {
			if pattern.form.MatchString(c.text) {
				all = append(all, at(o, c.path, "holds what looks like "+pattern.what))
			}
		}
	}
	return all
}

// secretKey fits values that may hold a secret itself.
var secretKey = regexp.MustCompile(`(?i)(password|passwd|passphrase|token|secret|credentials?|` +
	`privatekey|accesskey|secretkey|apikey)$`)

// canaries gives password-like values a text of their own and looks where it comes out.
func canaries(s *subject) []Finding {
	bases := s.bases()
	if len(bases) == 0 {
		return nil
	}
	var all []Finding
	n := 0
	for _, leaf := range s.leaves {
		_, isText := leaf.Value.(string)
		if !secretKey.MatchString(leaf.Path[len(leaf.Path)-1]) || !isText && leaf.Value != nil {
			continue
		}
		n++
		text := fmt.Sprintf("canary-%d-b7f1c0", n)
		for _, from := range slices.Concat(bases[:1], s.features(leaf.Path)) {
			if from.Kind != Base && s.over(upgradeShare) {
				continue
			}
			c := &Case{
				Name: from.Name + ", " + leaf.Path.String() + "=" + text, Values: mutate.Set(from.Values, leaf.Path, text),
				Release: from.Release, from: from, changes: []change{{leaf.Path, text}}, apis: from.apis,
			}
			if s.render(c); c.Err != nil {
				continue
			}
			for _, finding := range escaped(c, text, leaf) {
				finding.Cases = []string{c.Name}
				all = append(all, finding)
			}
		}
	}
	return all
}

// escaped finds a canary outside Secrets.
func escaped(c *Case, text string, leaf mutate.Leaf) []Finding {
	var all []Finding
	for _, o := range c.Objects {
		if o.GVK.Kind == "Secret" {
			continue
		}
		for _, place := range readables("", o.Tree) {
			if open.MatchString(place.path) && strings.Contains(place.text, text) {
				all = append(all, at(o, place.path, "the value of "+leaf.Path.String()+" comes out here"))
			}
		}
	}
	return all
}
