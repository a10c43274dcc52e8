package gitlab

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// inputs is what a recipe's templates may use for a tenant.
type inputs struct {
	Tenant   Tenant
	Issuer   string
	Audience string
}

// view is the data a template sees.
type view struct {
	Org, Group, Project, User int
	Namespace                 string // full path of the tenant
	Parent, Leaf              string // forEach: namespace; Parent ends in a slash unless it is the root
	Issuer, Audience          string
	Now                       string // RFC 3339, UTC
	Secret                    secretView
}

type secretView struct{ Name, Value, Environment, Branch, Policy string }

// call is one rendered API request.
type call struct {
	step   Step
	path   string
	body   any
	grant  map[string][]string
	asUser bool
}

// place fills in where the tenant lives in OpenBao.
func (r *Recipe) place(t *Tenant) error {
	v := view{Org: t.Org, Group: t.Group, Project: t.Project, User: t.User}
	levels, err := r.levels(v)
	if err != nil {
		return err
	}
	t.Name = strings.Join(levels, "/")
	v.Namespace, t.Role = t.Name, r.Pipeline.Role
	if t.SecretPath, err = expand(r.SecretPath, v); err != nil {
		return fmt.Errorf("secretPath: %w", err)
	}
	if t.AuthPath, err = expand(r.Pipeline.Path, v); err != nil {
		return fmt.Errorf("pipeline.path: %w", err)
	}
	return nil
}

func (r *Recipe) levels(v view) ([]string, error) {
	levels := make([]string, 0, len(r.Namespaces))
	for _, level := range r.Namespaces {
		name, err := expand(level, v)
		if err != nil {
			return nil, fmt.Errorf("namespaces: %w", err)
		}
		levels = append(levels, name)
	}
	return levels, nil
}

func (in inputs) view() view {
	t := in.Tenant
	return view{
		Org: t.Org, Group: t.Group, Project: t.Project, User: t.User, Namespace: t.Name,
		Issuer: in.Issuer, Audience: in.Audience, Now: time.Now().UTC().Format(time.RFC3339),
	}
}

// provision renders the calls that make the tenant.
func (r *Recipe) provision(in inputs) ([]call, error) {
	v := in.view()
	levels, err := r.levels(v)
	if err != nil {
		return nil, err
	}
	var calls []call
	for _, step := range r.Provision {
		repeat := 1
		if step.ForEach == "namespace" {
			repeat = len(levels)
		}
		for i := range repeat {
			if step.ForEach == "namespace" {
				v.Leaf, v.Parent = levels[i], ""
				if i > 0 {
					v.Parent = strings.Join(levels[:i], "/") + "/"
				}
			}
			c, err := step.render(v)
			if err != nil {
				return nil, err
			}
			calls = append(calls, c)
		}
	}
	return calls, nil
}

// Call is one request of a recipe, ready to be sent.
type Call struct {
	Name, Method string
	Path         string // relative to /v1/
	Body         any    // nil for none
	AsUser       bool   // on behalf of the tenant's owner
	Tolerate     []string
}

// Calls are the requests that provision a tenant, for whoever sends them one by one.
func (r *Recipe) Calls(t Tenant, issuer, audience string) ([]Call, error) {
	rendered, err := r.provision(inputs{Tenant: t, Issuer: issuer, Audience: audience})
	if err != nil {
		return nil, err
	}
	list := make([]Call, 0, len(rendered))
	for _, c := range rendered {
		if c.grant != nil {
			return nil, fmt.Errorf("step %q: a grant is two requests, of which the second depends on the first", c.step.Name)
		}
		list = append(list, Call{c.step.Name, c.step.Method, c.path, c.body, c.asUser, c.step.Tolerate})
	}
	return list, nil
}

// write renders the calls that store one secret.
func (r *Recipe) write(in inputs, s Secret, value string) ([]call, error) {
	v := in.view()
	v.Secret = secretView{Name: s.Name, Value: value, Environment: s.Environment, Branch: s.Branch, Policy: s.Policy()}
	calls := make([]call, 0, len(r.Secret))
	for _, step := range r.Secret {
		c, err := step.render(v)
		if err != nil {
			return nil, err
		}
		calls = append(calls, c)
	}
	return calls, nil
}

func (s Step) render(v view) (c call, err error) {
	c = call{step: s, asUser: s.As == "user"}
	if c.path, err = expand(s.Path, v); err != nil {
		return c, fmt.Errorf("step %q: path: %w", s.Name, err)
	}
	if c.grant, err = expandRules(s.Grant, v); err != nil {
		return c, fmt.Errorf("step %q: grant: %w", s.Name, err)
	}
	switch {
	case s.Policy != nil:
		rules, err := expandRules(s.Policy, v)
		if err != nil {
			return c, fmt.Errorf("step %q: policy: %w", s.Name, err)
		}
		c.body = policyBody(nil, rules)
	case s.Body != nil && s.Method != http.MethodGet:
		if c.body, err = expandAll(s.Body, v); err != nil {
			return c, fmt.Errorf("step %q: body: %w", s.Name, err)
		}
	}
	return c, nil
}

// aclPolicy is an ACL policy in the JSON form that Rails writes. Fields Steamer
// does not know are kept, as Rails keeps them.
type aclPolicy struct {
	Path map[string]map[string]any `json:"path"`
}

// policyBody adds rules to a policy and wraps it for sys/policies/acl.
func policyBody(base *aclPolicy, rules map[string][]string) map[string]any {
	doc := aclPolicy{Path: map[string]map[string]any{}}
	if base != nil && base.Path != nil {
		doc = *base
	}
	for path, capabilities := range rules {
		doc.Path[path] = map[string]any{"capabilities": capabilities}
	}
	raw, _ := json.Marshal(doc) // maps of strings always encode
	return map[string]any{"policy": string(raw)}
}

func expandRules(rules map[string][]string, v view) (map[string][]string, error) {
	if rules == nil {
		return nil, nil
	}
	out := make(map[string][]string, len(rules))
	for path, capabilities := range rules {
		p, err := expand(path, v)
		if err != nil {
			return nil, err
		}
		out[p] = capabilities
	}
	return out, nil
}

// expandAll renders every string in a decoded YAML document.
func expandAll(node any, v view) (any, error) {
	switch n := node.(type) {
	case string:
		return expand(n, v)
	case []any:
		out := make([]any, len(n))
		for i := range n {
			var err error
			if out[i], err = expandAll(n[i], v); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(n))
		for key := range n {
			var err error
			if out[key], err = expandAll(n[key], v); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
		return out, nil
	default:
		return node, nil
	}
}

// expand renders one template. Its delimiters are ${ and }, because OpenBao's own
// templates use double braces. cel quotes a value as a CEL string literal, whose
// escapes are those of Go; hex is how GitLab encodes names in policies.
func expand(text string, v view) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	t, err := template.New("").Delims("${", "}").Option("missingkey=error").
		Funcs(template.FuncMap{
			"cel": func(a any) string { return strconv.Quote(fmt.Sprint(a)) },
			"hex": func(s string) string { return hex.EncodeToString([]byte(s)) },
		}).Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if err := t.Execute(&out, v); err != nil {
		return "", err
	}
	return out.String(), nil
}
