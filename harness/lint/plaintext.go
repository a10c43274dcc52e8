package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// passwords are the forms in which texts give a password; the first group is the password, in
// quotes or not.
var passwords = []struct {
	what string
	form *regexp.Regexp
}{
	{"a password in a URL", regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^\s/:@"'<]*:([^\s/@"'<]+(?:@[^\s/@"'<]+)*)@`)},
	{"a password in a connection string", regexp.MustCompile(`[\w.-]+:([^\s/@:"']+)@(?:tcp|unix)\(`)},
	{
		"a password in a connection string",
		regexp.MustCompile(`(?i)(?:password|passwd|passphrase|[^\w]pwd)\s*=\s*` +
			`('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s"'&;,)=~>\\][^\s"'&;,)\\]*)`),
	},
	{"a password", regexp.MustCompile(`(?i)(?:password|passwd|passphrase)\\*"\s*:\s*\\*("(?:[^"\\])*)`)},
	{
		"a password",
		regexp.MustCompile(`(?im)^[ \t]*(?:- )?'?[\w.-]*(?:password|passwd|passphrase)'?:[ \t]+([^\s#|>{\[&*!].*)$`),
	},
}

// placeholders are what stands in a text for something that is put there later: references of
// Kubernetes and of shells, templates, and signs that mean a text of one's own.
var placeholders = regexp.MustCompile(
	`\$?\$\([^)]*\)?|\$\{[^}]*\}|^\$[A-Za-z_][A-Za-z0-9_]*$|\{\{.*?\}\}|%[a-z]|^<.*>$|^\*+$|^[xX]+$|^\.+$`)

// noPassword fits what follows the word password in a text without being one.
var noPassword = regexp.MustCompile(`^(?i:true|false|null|nil|none|~|yes|no|\d{1,3}|(?:file|env)://.*|/.*)$`)

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
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"a JWT", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+`)},
	{"an OpenBao or Vault token", regexp.MustCompile(`\b(hv)?[sbr]\.[A-Za-z0-9_-]{24,}\b`)},
	{"a GitLab token", regexp.MustCompile(`\bgl(pat|ptt|dt|rt|soat|cbt|ft|imt|agent|oas)-[A-Za-z0-9_-]{20,}`)},
	{"a GitHub token", regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9]{36,}`)},
	{"an AWS access key", regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`)},
}

// secretVariable fits environment variables that hold a secret; those that name a file of one do
// not end like it.
var secretVariable = regexp.MustCompile(
	`(?i)(^|_)(PASSWORD|PGPASSWORD|PASSWD|PASSPHRASE|TOKEN|SECRET|PRIVATE_KEY|ACCESS_KEY|API_KEY|CREDENTIALS?)$`)

// readable is a text that whoever may read the object sees.
type readable struct{ path, text string }

// clears lists the places of an object where a secret must not be.
func clears(o *Object) []readable {
	var all []readable
	for key, text := range o.notes {
		all = append(all, readable{"metadata.annotations[" + key + "]", text})
	}
	if config, ok := o.typed.(*corev1.ConfigMap); ok {
		for key, text := range config.Data {
			all = append(all, readable{"data[" + key + "]", text})
		}
		for key, data := range config.BinaryData {
			all = append(all, readable{"binaryData[" + key + "]", string(data)})
		}
	}
	p := o.pod()
	if p == nil {
		return all
	}
	for key, text := range p.meta.Annotations {
		all = append(all, readable{p.path + "metadata.annotations[" + key + "]", text})
	}
	list := func(path string, texts []string) {
		for i, text := range texts {
			all = append(all, readable{fmt.Sprintf("%s[%d]", path, i), text})
		}
	}
	p.containers(func(path string, c *corev1.Container) {
		list(path+".command", c.Command)
		list(path+".args", c.Args)
		for i, variable := range c.Env {
			all = append(all, readable{fmt.Sprintf("%s.env[%d].value", path, i), variable.Value})
		}
		handlers(c, func(where string, h handler) {
			if h.exec != nil {
				list(path+"."+where+".exec.command", h.exec.Command)
			}
			if h.http != nil {
				for i, header := range h.http.HTTPHeaders {
					all = append(all, readable{fmt.Sprintf("%s.%s.httpGet.httpHeaders[%d]", path, where, i), header.Value})
				}
			}
		})
	})
	return all
}

// customTexts lists the texts of a custom resource, of which nothing is known: any may end in a
// file that others read.
func customTexts(path string, node any) []readable {
	var all []readable
	switch node := node.(type) {
	case string:
		all = append(all, readable{path, node})
	case map[string]any:
		for key, value := range node {
			all = append(all, customTexts(strings.TrimPrefix(path+"."+key, "."), value)...)
		}
	case []any:
		for i, value := range node {
			all = append(all, customTexts(fmt.Sprintf("%s[%d]", path, i), value)...)
		}
	}
	return all
}

func plaintext(s *subject, o *Object) []Finding {
	var all []Finding
	places := clears(o)
	if o.GVK.Kind != "" && !s.api.Native(o.GVK.Group) {
		places = append(places, customTexts("spec", o.Tree["spec"])...)
	}
	for _, c := range places {
		told := ""
		for _, form := range passwords {
			for _, match := range form.form.FindAllStringSubmatch(c.text, -1) {
				if told != form.what && password(match[1]) {
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
	if p := o.pod(); p != nil {
		p.containers(func(path string, c *corev1.Container) {
			for i, variable := range c.Env {
				if secretVariable.MatchString(variable.Name) && literal(variable.Value) {
					all = append(all, at(o, fmt.Sprintf("%s.env[%d].value", path, i), variable.Name+" has a literal value"))
				}
			}
		})
	}
	return all
}

// literal tells a value from nothing, a file's path and a reference to another variable.
func literal(value string) bool {
	return value != "" && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "file://") &&
		!strings.HasPrefix(value, "$(")
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
		for _, place := range clears(o) {
			if strings.Contains(place.text, text) {
				all = append(all, at(o, place.path, "the value of "+leaf.Path.String()+" comes out here"))
			}
		}
	}
	return all
}
