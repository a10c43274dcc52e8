package lint

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl"
	"k8s.io/apimachinery/pkg/util/sets"
)

var initialisingRules = []Rule{{
	ID: "server/initialisation", Title: "self-initialisation lets in Rails, and Rails alone", Severity: Error,
	Protects: "Rails' role is made once, in an empty database: a claim that it forgets to ask for gives every job " +
		"of the instance what Rails may do.",
	Hint: "bind issuer, audience, subject and scope, each to one text",
	Detail: "Reads the initialize blocks of configurations, also of hooks. A JWT role without bound_audiences, one " +
		"that binds neither subject nor claims or binds them by a wildcard, and one whose tokens are periodic or " +
		"outlive 768 h, are errors; one without bound_subject is a warning. So are a JWT method without " +
		"bound_issuer, and one that asks GitLab for its keys before there is a GitLab. A policy for every path that " +
		"does not deny sys/raw, sys/seal and sys/step-down, or one for some paths that reads values, is a warning.",
	lenient: true, object: initialising,
}}

// initRequest is a request of an initialize block.
type initRequest struct {
	path string
	data map[string]any
}

// initRequests lists the requests of a configuration's initialize blocks.
func initRequests(node any) []initRequest {
	var all []initRequest
	switch node := node.(type) {
	case map[string]any:
		path, isRequest := node["path"].(string)
		data, hasData := node["data"].(map[string]any)
		if isRequest && hasData {
			return []initRequest{{path, data}}
		}
		for _, below := range node {
			all = append(all, initRequests(below)...)
		}
	case []any:
		for _, below := range node {
			all = append(all, initRequests(below)...)
		}
	}
	return all
}

var (
	rolePath   = regexp.MustCompile(`^auth/[^/]+/(cel/)?role/[^/]+$`)
	configPath = regexp.MustCompile(`^auth/[^/]+/config$`)
	policyPath = regexp.MustCompile(`^sys/polic(y|ies/acl)/[^/]+$`)
)

func initialising(_ *subject, o *Object) []Finding {
	var all []Finding
	for _, server := range o.serverConfigs() {
		for _, r := range initRequests(server.tree["initialize"]) {
			add := func(severity Severity, format string, args ...any) {
				finding := at(o, server.path+".initialize["+r.path+"]", fmt.Sprintf(format, args...))
				finding.Severity = severity
				all = append(all, finding)
			}
			switch {
			case rolePath.MatchString(r.path) && r.text("role_type") != "oidc":
				r.role(add)
			case configPath.MatchString(r.path):
				r.method(add)
			case policyPath.MatchString(r.path):
				r.policy(add)
			}
		}
	}
	return all
}

func (r initRequest) text(name string) string {
	if value := r.data[name]; value != nil {
		return fmt.Sprint(value)
	}
	return ""
}

// role judges a role of a JWT method. A role in CEL decides by a program, which is not read.
func (r initRequest) role(add func(Severity, string, ...any)) {
	for _, name := range []string{"token_ttl", "token_max_ttl", "token_explicit_max_ttl"} {
		if seconds(r.data[name]) > seconds("768h") {
			add("", "%s is %s: a token that is copied works for longer than OpenBao's 32 days", name, r.text(name))
		}
	}
	if seconds(r.data["token_period"]) > 0 {
		add("", "token_period is %s: its tokens can be renewed for ever", r.text("token_period"))
	}
	if strings.Contains(r.path, "/cel/") {
		return
	}
	claims, _ := r.data["bound_claims"].(map[string]any)
	if text := r.text("bound_audiences"); text == "" || text == "[]" {
		add("", "binds no audience: a token that was made for any other service logs in")
	}
	switch subject := r.text("bound_subject"); {
	case subject == "" && len(claims) == 0:
		add("", "binds neither a subject nor claims: every token of the issuer logs in, a job's as well")
	case subject == "":
		add(Warning, "binds no subject: its claims alone keep jobs and users out")
	}
	for name, value := range claims {
		if r.text("bound_claims_type") == "glob" && strings.Contains(fmt.Sprint(value), "*") {
			add("", "binds the claim %s by the pattern %v: others' tokens fit, too", name, value)
		}
	}
}

// method judges the configuration of a JWT method.
func (r initRequest) method(add func(Severity, string, ...any)) {
	discovers := r.text("oidc_discovery_url") != ""
	if discovers && r.text("bound_issuer") == "" {
		add("", "binds no issuer")
	}
	if discovers && r.text("skip_jwks_validation") != "true" {
		add("", "asks GitLab for its keys: an installation fails while GitLab is not up, which may wait for OpenBao")
	}
}

// privileged are paths that no secrets manager needs, and that change or stop the whole server.
var privileged = []string{"sys/raw/*", "sys/seal", "sys/step-down"}

// policy judges a policy's text, which is HCL or JSON.
func (r initRequest) policy(add func(Severity, string, ...any)) {
	var tree map[string]any
	text := r.text("policy")
	if json.Unmarshal([]byte(text), &tree) != nil && hcl.Decode(&tree, text) != nil {
		return // a template, or encoded
	}
	paths, _ := plain(tree["path"]).(map[string]any)
	granted := func(path string) sets.Set[string] {
		rule, _ := plain(paths[path]).(map[string]any)
		return sets.New(listed(rule["capabilities"])...)
	}
	everything := granted("*")
	if everything.HasAny("update", "sudo", "root") {
		missing := slices.DeleteFunc(slices.Clone(privileged), func(path string) bool { return granted(path).Has("deny") })
		if len(missing) > 0 {
			add(Warning, "grants every path and does not deny %s", strings.Join(missing, ", "))
		}
		return
	}
	for path := range paths {
		if strings.Contains(path, "/data/") && granted(path).Has("read") {
			add(Warning, "reads the values at %s, which the other paths show that it need not", path)
		}
	}
}
