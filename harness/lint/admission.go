package lint

import "slices"

var admissionRules = []Rule{{
	ID: "security/admission", Title: "admission policies refuse", Severity: Warning,
	Protects: "A policy that only audits or warns, or that lets everything through when it breaks, limits nobody, and " +
		"the Role behind it is wide because of it.",
	Hint: "use validationActions: [Deny] and failurePolicy: Fail",
	Detail: "Looks at ValidatingAdmissionPolicyBindings without Deny, and at ValidatingAdmissionPolicies with " +
		"failurePolicy Ignore.",
	object: admission,
}}

func admission(_ *subject, o *Object) []Finding {
	actions, _ := o.field("spec", "validationActions").([]any)
	switch {
	case o.GVK.Kind == "ValidatingAdmissionPolicyBinding" && !slices.Contains(actions, any("Deny")):
		return []Finding{at(o, "spec.validationActions", "has no Deny: what breaks the policy is let through")}
	case o.GVK.Kind == "ValidatingAdmissionPolicy" && o.field("spec", "failurePolicy") == "Ignore":
		return []Finding{at(o, "spec.failurePolicy", "is Ignore: where the policy breaks, everything is let through")}
	}
	return nil
}
