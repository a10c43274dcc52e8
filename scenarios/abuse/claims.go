package abuse

import (
	"strings"
	"time"
)

// claimRows are truly signed tokens whose claims are not a job's. Where the two roles differ,
// GitLab's templated role is laxer: it is bound to the project and the scope only.
func claimRows() []tokenRow {
	const unbound = "does not match any associated bound claim values"
	crash := outcome{crash: true}
	return []tokenRow{
		// Catches: a role without audience, so that any ID token of the instance logs in.
		{
			"audience-wrong", "A token for another audience is refused", set("aud", "https://somewhere-else.example"),
			refused(audience), refused(audience),
		},
		{"audience-missing", "A token for no audience is refused", set("aud", nil), refused(audience), refused(audience)},
		{"audience-empty", "A token for an empty audience is refused", set("aud", ""), refused(audience), refused(audience)},
		// Catches: audiences compared by prefix.
		{"audience-longer", "An audience that begins with the right one is another", func(m maker) (string, error) {
			return set("aud", m.env.Audience+".example")(m)
		}, refused(audience), refused(audience)},
		// GitLab's CEL program turns aud into text, which a list cannot be; the templated role
		// takes a list, as RFC 7519 says.
		{"audience-list", "A list of audiences is refused by the CEL role", func(m maker) (string, error) {
			return set("aud", []string{m.env.Audience, "https://somewhere-else.example"})(m)
		}, taken, refused("no such overload: string(list)")},
		// Catches: a mount that is not bound to its issuer.
		{
			"issuer-wrong", "A token that names another issuer is refused", set("iss", "https://somewhere-else.example"),
			refused(issuer), refused(issuer),
		},
		{"issuer-missing", "A token that names no issuer is refused", set("iss", nil), refused(issuer), refused(issuer)},
		{"issuer-slash", "An issuer with a slash behind it is another", func(m maker) (string, error) {
			return set("iss", m.env.Issuer.URL()+"/")(m)
		}, refused(issuer), refused(issuer)},
		// The templated role has no bound subject (GitLab 18.9), so that the subject is the CEL
		// role's to judge.
		{
			"subject-missing", "A token without subject is refused by the CEL role", set("sub", nil), taken,
			refused("missing subject"),
		},
		{
			"subject-of-user", "A user's subject is refused by the CEL role", set("sub", "user:somebody"), taken,
			refused("invalid subject for pipeline authentication"),
		},
		{
			"subject-prefix", "A subject that only contains project_path: is refused by the CEL role",
			set("sub", "x project_path:"), taken, refused("invalid subject for pipeline authentication"),
		},
		// Catches: a role that takes every token of the issuer.
		{
			"scope-missing", "A token without scope, as every ordinary ID token is, is refused",
			set("secrets_manager_scope", nil), refused("is missing"), refused("missing secrets_manager_scope"),
		},
		{
			"scope-of-user", "A token with a user's scope is refused", set("secrets_manager_scope", "user"), refused(unbound),
			refused("invalid secrets_manager_scope"),
		},
		{
			"scope-privileged", "A token with Rails' scope is refused", set("secrets_manager_scope", "privileged"),
			refused(unbound), refused("invalid secrets_manager_scope"),
		},
		{
			"scope-other-case", "Scopes are compared with their case", set("secrets_manager_scope", "Pipeline"),
			refused(unbound), refused("invalid secrets_manager_scope"),
		},
		// Catches: a role without its project.
		{
			"project-missing", "A token without project is refused", set("project_id", nil), refused(`"project_id" not found`),
			refused("missing project_id"),
		},
		{
			"project-wrong", "A token of another project is refused", set("project_id", "1"), refused(unbound),
			refused("token project_id does not match project"),
		},
		{"project-list", "A list of projects is refused", func(m maker) (string, error) {
			return set("project_id", []any{"1", m.claims()["project_id"]})(m)
		}, refused("could not be converted to string"), refused("no such overload: string(list)")},
		{
			"project-pattern", "A project called * is refused", set("project_id", "*"), refused(unbound),
			refused("token project_id does not match project"),
		},
		// The templated role does not look at the user.
		{
			"user-missing", "A token without user is refused by the CEL role", set("user_id", nil), taken,
			refused("missing user_id"),
		},
		{
			"user-empty", "A token with an empty user is refused by the CEL role", set("user_id", ""), taken,
			refused("missing user_id"),
		},
		// OpenBao 2.4.0 answers 500 when a template cannot use a claim, which Runner repeats twice
		// and Rails takes for an outage.
		{
			"environment-list", "An environment that is a list is refused", set("environment", []string{"production"}), crash,
			refused("no such overload: string(list)"),
		},
		{"reference-missing", "A token without ref gains nothing", set("ref", nil), crash, taken},
		{"reference-type-missing", "A token without ref type gains nothing", set("ref_type", nil), crash, taken},
		// Catches: a huge leeway.
		{
			"expired", "A token that has expired is refused", expires(-beyondLeeway), refused("token is expired"),
			refused("token is expired"),
		},
		{
			"expired-long-ago", "A token that expired a week ago is refused", expires(-7 * 24 * time.Hour),
			refused("token is expired"), refused("token is expired"),
		},
		{
			"not-yet-valid", "A token that is not valid yet is refused",
			func(m maker) (string, error) { return set("nbf", in(beyondLeeway))(m) }, refused("token not yet valid"),
			refused("token not yet valid"),
		},
		{
			"issued-later", "A token from the future is refused",
			func(m maker) (string, error) { return set("iat", in(beyondLeeway))(m) }, refused("token issued in the future"),
			refused("token issued in the future"),
		},
		// Catches: no leeway at all, with which clocks that differ by seconds break jobs.
		{
			"expired-within-leeway", "A token that expired within the leeway of 60 s works", expires(-withinLeeway), taken,
			taken,
		},
		{
			"not-yet-valid-within-leeway", "A token that becomes valid within the leeway of 60 s works",
			func(m maker) (string, error) {
				return set("nbf", in(withinLeeway))(m)
			}, taken, taken,
		},
		// OpenBao derives a missing exp from nbf or iat and the leeway of 150 s.
		{"expiry-missing", "A fresh token without expiry lives on the leeway", set("exp", nil), taken, taken},
		{"expiry-missing-old", "An old token without expiry is refused", with(func(c map[string]any) {
			delete(c, "exp")
			c["iat"], c["nbf"] = in(-beyondLeeway), in(-beyondLeeway)
		}), refused("token is expired"), refused("token is expired")},
		{
			"times-missing", "A token without any time is refused", with(func(c map[string]any) {
				delete(c, "exp")
				delete(c, "nbf")
				delete(c, "iat")
			}), refused("no issued at (iat), not before (nbf), or expiration time (exp) claims"),
			refused("no issued at (iat), not before (nbf), or expiration time (exp) claims"),
		},
		{
			"expiry-text", "An expiry that is text is refused", set("exp", "tomorrow"), refused("expected number value"),
			refused("expected number value"),
		},
		// Catches: a claim from the token's end that replaces one that was checked.
		{
			"duplicate-project", "A project claimed twice is the other project's", duplicated("project_id", "1"), refused(""),
			refused(""),
		},
		{
			"duplicate-scope", "A scope claimed twice is refused", duplicated("secrets_manager_scope", "user"), refused(""),
			refused(""),
		},
		// A token of 64 KiB is large, but its signature is good: claims are not counted.
		{
			"large", "A good token of 64 KiB works and costs nobody anything", set("padding", strings.Repeat("x", 48<<10)),
			taken, taken,
		},
	}
}

// expires makes a token that expired, or will, and was issued an hour before.
func expires(d time.Duration) func(maker) (string, error) {
	return func(m maker) (string, error) {
		return with(func(c map[string]any) { c["exp"], c["iat"], c["nbf"] = in(d), in(d-time.Hour), in(d-time.Hour) })(m)
	}
}
