package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"gitlab.com/steamer/steamer/harness/gitlab"
)

// view is what templates see.
type view struct {
	Project          int
	Namespace        string // of the tenant
	Root, Group      string // the organisation's namespace, and the group's name in it
	Parent, Leaf     string // of Namespace
	Issuer, Audience string
	Now              string // RFC 3339, UTC
	Secret, Value    string
	Environment      string // as asked for; "" leaves it as it is
	Branch           string
	User             int
	Actions          []string
	V                map[string]string // what steps set
	Answer           any               // .data of the step's answer; nil for none
}

// functions are those that templates may call, beside Go's own.
func functions() template.FuncMap {
	return template.FuncMap{
		"policy":  policyName,
		"get":     get,
		"sharing": sharing,
		"has":     func(list []string, item string) bool { return slices.Contains(list, item) },
		"add": func(number string, n int) (string, error) {
			v, err := strconv.Atoi(number)
			return strconv.Itoa(v + n), err
		},
	}
}

// policyName is the policy of jobs in a scope.
func policyName(environment, branch string) string {
	return gitlab.Secret{Environment: environment, Branch: branch}.Policy()
}

// get is the text at a place in an answer, "" where there is none.
func get(answer any, keys ...string) string {
	for _, key := range keys {
		m, _ := answer.(map[string]any)
		answer = m[key]
	}
	if answer == nil {
		return ""
	}
	return fmt.Sprint(answer)
}

// sharing counts the secrets in the answer to a list with metadata whose scope has a policy, but
// for one.
func sharing(answer any, policy, except string) int {
	m, _ := answer.(map[string]any)
	info, _ := m["key_info"].(map[string]any)
	n := 0
	for name, of := range info {
		environment, branch := get(of, "custom_metadata", "environment"), get(of, "custom_metadata", "branch")
		if name != except && environment != "" && branch != "" && policyName(environment, branch) == policy {
			n++
		}
	}
	return n
}

func newTemplate() *template.Template {
	return template.New("").Delims("${", "}").Option("missingkey=error").Funcs(functions())
}

func parses(text string) error {
	_, err := newTemplate().Parse(text)
	return err
}

func (v *view) expand(text string) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	t, err := newTemplate().Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, v)
	return out.String(), err
}

// holds decides a condition; "" holds.
func (v *view) holds(condition string) (bool, error) {
	if condition == "" {
		return true, nil
	}
	text, err := v.expand(condition)
	if err != nil {
		return false, err
	}
	return strconv.ParseBool(text)
}

// body renders a document. Texts that render to nothing are left out, and versions to compare and
// set are numbers.
func (v *view) body(node any) (any, error) {
	switch n := node.(type) {
	case string:
		return v.expand(n)
	case []any:
		out := make([]any, len(n))
		for i := range n {
			var err error
			if out[i], err = v.body(n[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(n))
		for key := range n {
			rendered, err := v.body(n[key])
			text, isText := rendered.(string)
			if err == nil && isText && strings.HasSuffix(key, "cas") {
				rendered, err = strconv.Atoi(text)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			if !isText || text != "" {
				out[key] = rendered
			}
		}
		return out, nil
	default:
		return node, nil
	}
}

// policy renders the body that writes a policy.
func (v *view) policy(e *Edit) (any, error) {
	text, err := v.expand(e.From)
	if err != nil {
		return nil, err
	}
	doc := struct {
		Path map[string]map[string]any `json:"path"`
	}{map[string]map[string]any{}}
	if text != "" && (json.Unmarshal([]byte(text), &doc) != nil || doc.Path == nil) {
		return nil, errors.New("the policy is not in Rails' JSON form")
	}
	for _, path := range slices.Sorted(maps.Keys(e.Grant)) {
		name, err := v.expand(path)
		if err != nil {
			return nil, err
		}
		var capabilities []string
		for _, c := range e.Grant[path] {
			if c, err = v.expand(c); err != nil {
				return nil, err
			}
			if c != "" {
				capabilities = append(capabilities, c)
			}
		}
		doc.Path[name] = map[string]any{"capabilities": capabilities}
	}
	for _, path := range e.Withdraw {
		name, err := v.expand(path)
		if err != nil {
			return nil, err
		}
		delete(doc.Path, name)
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	body := map[string]any{"policy": string(raw)}
	if e.CAS != "" {
		version, err := v.expand(e.CAS)
		if err != nil {
			return nil, err
		}
		if body["cas"], err = strconv.Atoi(version); err != nil {
			return nil, fmt.Errorf("cas: %w", err)
		}
	}
	return body, nil
}
