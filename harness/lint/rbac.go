package lint

import (
	"embed"
	"fmt"
	"os"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
)

// Allowance is what a chart's service accounts may be allowed.
type Allowance struct {
	Namespaced []rbacv1.PolicyRule `json:"namespaced"` // in the release's namespace
	Cluster    []rbacv1.PolicyRule `json:"cluster"`    // in all namespaces, and of what has none
	Bindings   []string            `json:"bindings"`   // ClusterRoles of others that may be bound
}

//go:embed allowances/*.yaml
var allowances embed.FS

// ParseAllowance reads an allowance; input names it in the exit.Invalid error.
func ParseAllowance(input string, data []byte) (Allowance, error) {
	var a Allowance
	if err := document.YAML(data, &a); err != nil {
		return Allowance{}, exit.Invalidf(input,
			"it holds namespaced, cluster (lists of RBAC rules) and bindings (names of ClusterRoles)", "%w", err)
	}
	return a, nil
}

func readAllowance(path string) (Allowance, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Allowance{}, exit.Invalidf("--allow-rbac "+path, "name a YAML file that can be read", "%w", err)
	}
	return ParseAllowance("--allow-rbac "+path, data)
}

// builtIn returns the allowance for every chart and that of a dialect.
func builtIn(dialect string) (Allowance, error) {
	var a Allowance
	for _, name := range []string{"every", dialect} {
		data, err := allowances.ReadFile("allowances/" + name + ".yaml")
		if err != nil {
			continue // most dialects need no more
		}
		more, err := ParseAllowance("allowance "+name, data)
		if err != nil {
			return a, err
		}
		a = a.and(more)
	}
	return a, nil
}

func (a Allowance) and(b Allowance) Allowance {
	return Allowance{
		slices.Concat(a.Namespaced, b.Namespaced), slices.Concat(a.Cluster, b.Cluster),
		slices.Concat(a.Bindings, b.Bindings),
	}
}

func rbac(s *subject, o *Object) []Finding {
	switch typed := o.typed.(type) {
	case *rbacv1.Role:
		return exceeding(o, typed.Rules, s.allowed.Namespaced)
	case *rbacv1.ClusterRole:
		return exceeding(o, typed.Rules, s.allowed.Cluster)
	case *rbacv1.RoleBinding:
		return s.binding(o, typed.RoleRef, typed.Subjects)
	case *rbacv1.ClusterRoleBinding:
		return s.binding(o, typed.RoleRef, typed.Subjects)
	}
	return nil
}

// exceeding lists the rights in rules that no allowed rule holds.
func exceeding(o *Object, rules, allowed []rbacv1.PolicyRule) []Finding {
	var all []Finding
	for i, rule := range rules {
		path := fmt.Sprintf("rules[%d]", i)
		for _, verb := range rule.Verbs {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					if !slices.ContainsFunc(allowed, func(a rbacv1.PolicyRule) bool {
						return holds(a, group, resource, verb,
							rule.ResourceNames)
					}) {
						all = append(all, at(o, path, fmt.Sprintf("%s %s of API group %q is not allowed", verb, resource, group)))
					}
				}
			}
			for _, url := range rule.NonResourceURLs {
				if !slices.ContainsFunc(allowed, func(a rbacv1.PolicyRule) bool {
					return slices.Contains(a.Verbs, verb) && slices.Contains(a.NonResourceURLs, url)
				}) {
					all = append(all, at(o, path, verb+" "+url+" is not allowed"))
				}
			}
		}
	}
	return all
}

// holds says whether an allowed rule holds a right. A wildcard is held by a wildcard only or by
// what stands for everything; an allowance for named resources holds rules for some of these
// names.
func holds(a rbacv1.PolicyRule, group, resource, verb string, names []string) bool {
	in := func(list []string, value string) bool {
		return slices.Contains(list, value) || slices.Contains(list, "*")
	}
	if !in(a.APIGroups, group) || !in(a.Resources, resource) || !in(a.Verbs, verb) {
		return false
	}
	if len(a.ResourceNames) == 0 {
		return true
	}
	return len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool {
		return !slices.Contains(a.ResourceNames,
			name)
	})
}

// everybody are groups that take in accounts which are not the chart's.
var everybody = []string{"system:authenticated", "system:unauthenticated", "system:serviceaccounts"}

func (s *subject) binding(o *Object, role rbacv1.RoleRef, subjects []rbacv1.Subject) []Finding {
	var all []Finding
	if role.Kind == "ClusterRole" && !s.renders("ClusterRole", role.Name) && !slices.Contains(s.allowed.Bindings,
		role.Name) {
		all = append(all, at(o, "roleRef", "binding ClusterRole "+role.Name+" is not allowed"))
	}
	for i, subject := range subjects {
		if subject.Kind == rbacv1.GroupKind && (slices.Contains(everybody, subject.Name) ||
			strings.HasPrefix(subject.Name, "system:serviceaccounts:")) || subject.Kind == rbacv1.UserKind &&
			subject.Name == "system:anonymous" {
			all = append(all, at(o, fmt.Sprintf("subjects[%d]", i), "binds "+subject.Name))
		}
	}
	return all
}

// renders says whether any case renders the object, whose rules are then judged where they stand.
func (s *subject) renders(kind, name string) bool {
	for _, objects := range s.parsed {
		if slices.ContainsFunc(objects, func(o *Object) bool { return o.GVK.Kind == kind && o.Name == name }) {
			return true
		}
	}
	return false
}
