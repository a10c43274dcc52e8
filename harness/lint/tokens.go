package lint

import (
	"cmp"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

var tokensRules = []Rule{{
	ID: "security/tokens", Title: "only pods with rights have a token", Severity: Warning,
	Protects: "A token for Kubernetes that nothing needs is one more thing that leaves with a pod's files.",
	Hint:     "set automountServiceAccountToken: false",
	Detail: "Finds pods that ask for a token (automountServiceAccountToken: true) and whose ServiceAccount no binding " +
		"of the chart names. Where the chart binds nothing at all, or a value names the account, the rights are made " +
		"elsewhere.",
	each: mountedTokens,
}}

func mountedTokens(_ *subject, c *Case) []Finding {
	bound := map[string]bool{}
	for _, o := range c.Objects {
		var subjects []rbacv1.Subject
		switch typed := o.typed.(type) {
		case *rbacv1.RoleBinding:
			subjects = typed.Subjects
		case *rbacv1.ClusterRoleBinding:
			subjects = typed.Subjects
		}
		for _, subject := range subjects {
			bound[subject.Name] = true
		}
	}
	var all []Finding
	for _, o := range c.Objects {
		p := o.pod()
		if p == nil || len(bound) == 0 || p.spec.AutomountServiceAccountToken == nil ||
			!*p.spec.AutomountServiceAccountToken {
			continue
		}
		account := cmp.Or(p.spec.ServiceAccountName, "default")
		rendered := account == "default" || slices.ContainsFunc(c.Objects, func(o *Object) bool {
			return o.GVK.Kind == "ServiceAccount" && o.Name == account
		})
		if rendered && !bound[account] {
			all = append(all, at(o, p.path+"spec.automountServiceAccountToken", "mounts a token of "+account+
				", which has no rights"))
		}
	}
	return all
}
