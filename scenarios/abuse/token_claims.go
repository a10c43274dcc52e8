package abuse

import (
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// tokenClaims are properly signed tokens whose claims are not a job's. Where the two roles differ,
// GitLab's templated role is laxer: it is bound to the project and the scope only.
func tokenClaims() []scenario.Scenario {
	const unbound = "does not match any associated bound claim values"
	crash := outcome{crash: true}
	return scenario.Table(tokenTable(),
		// Catches: a role without audience, so that any ID token of the instance logs in.
		core(scenario.Row("abuse/token-audience-wrong", "A token for another audience is refused",
			tokenRefused(set("aud", "https://somewhere-else.example"), audience))),
		scenario.Row("abuse/token-audience-missing", "A token for no audience is refused",
			tokenRefused(set("aud", nil), audience)),
		scenario.Row("abuse/token-audience-empty", "A token for an empty audience is refused",
			tokenRefused(set("aud", ""), audience)),
		// Catches: audiences compared by prefix.
		scenario.Row("abuse/token-audience-longer", "An audience that begins with the right one is another",
			tokenRefused(func(m maker) (string, error) {
				return set("aud", m.env.Audience+".example")(m)
			}, audience)),
		// GitLab's CEL program turns aud into text, which a list cannot be; the templated role
		// takes a list, as RFC 7519 says.
		scenario.Row("abuse/token-audience-list", "A list of audiences is refused by the CEL role",
			token(func(m maker) (string, error) {
				return set("aud", []string{m.env.Audience, "https://somewhere-else.example"})(m)
			}, taken, refused("no such overload: string(list)"))),
		// Catches: a mount that is not bound to its issuer.
		core(scenario.Row("abuse/token-issuer-wrong", "A token that names another issuer is refused",
			tokenRefused(set("iss", "https://somewhere-else.example"), issuer))),
		scenario.Row("abuse/token-issuer-missing", "A token that names no issuer is refused",
			tokenRefused(set("iss", nil), issuer)),
		scenario.Row("abuse/token-issuer-slash", "An issuer with a slash behind it is another",
			tokenRefused(func(m maker) (string, error) {
				return set("iss", m.env.Issuer.URL()+"/")(m)
			}, issuer)),
		// The templated role has no bound subject (GitLab 18.9), so that the subject is the CEL
		// role's to judge.
		scenario.Row("abuse/token-subject-missing", "A token without subject is refused by the CEL role",
			token(set("sub", nil), taken, refused("missing subject"))),
		scenario.Row("abuse/token-subject-of-user", "A user's subject is refused by the CEL role",
			token(set("sub", "user:somebody"), taken, refused("invalid subject for pipeline authentication"))),
		scenario.Row("abuse/token-subject-prefix",
			"A subject that only contains project_path: is refused by the CEL role",
			token(set("sub", "x project_path:"), taken, refused("invalid subject for pipeline authentication"))),
		// Catches: a role that takes every token of the issuer.
		scenario.Row("abuse/token-scope-missing", "A token without scope, as every ordinary ID token is, is refused",
			token(set("secrets_manager_scope", nil), refused("is missing"), refused("missing secrets_manager_scope"))),
		core(scenario.Row("abuse/token-scope-of-user", "A token with a user's scope is refused",
			token(set("secrets_manager_scope", "user"), refused(unbound), refused("invalid secrets_manager_scope")))),
		scenario.Row("abuse/token-scope-privileged", "A token with Rails' scope is refused",
			token(set("secrets_manager_scope", "privileged"), refused(unbound), refused("invalid secrets_manager_scope"))),
		scenario.Row("abuse/token-scope-other-case", "Scopes are compared with their case",
			token(set("secrets_manager_scope", "Pipeline"), refused(unbound), refused("invalid secrets_manager_scope"))),
		// Catches: a role without its project.
		scenario.Row("abuse/token-project-missing", "A token without project is refused",
			token(set("project_id", nil), refused(`"project_id" not found`), refused("missing project_id"))),
		core(scenario.Row("abuse/token-project-wrong", "A token of another project is refused",
			token(set("project_id", "1"), refused(unbound), refused("token project_id does not match project")))),
		scenario.Row("abuse/token-project-list", "A list of projects is refused",
			token(func(m maker) (string, error) {
				return set("project_id", []any{"1", m.claims()["project_id"]})(m)
			}, refused("could not be converted to string"), refused("no such overload: string(list)"))),
		scenario.Row("abuse/token-project-pattern", "A project called * is refused",
			token(set("project_id", "*"), refused(unbound), refused("token project_id does not match project"))),
		// The templated role does not look at the user.
		scenario.Row("abuse/token-user-missing", "A token without user is refused by the CEL role",
			token(set("user_id", nil), taken, refused("missing user_id"))),
		scenario.Row("abuse/token-user-empty", "A token with an empty user is refused by the CEL role",
			token(set("user_id", ""), taken, refused("missing user_id"))),
		// OpenBao 2.4.0 answers 500 when a template cannot use a claim, which Runner repeats twice
		// and Rails takes for an outage.
		scenario.Row("abuse/token-environment-list", "An environment that is a list is refused",
			token(set("environment", []string{"production"}), crash, refused("no such overload: string(list)"))),
		scenario.Row("abuse/token-reference-missing", "A token without ref gains nothing",
			token(set("ref", nil), crash, taken)),
		scenario.Row("abuse/token-reference-type-missing", "A token without ref type gains nothing",
			token(set("ref_type", nil), crash, taken)),
		// Catches: a huge leeway.
		core(scenario.Row("abuse/token-expired", "A token that has expired is refused",
			tokenRefused(expires(-beyondLeeway), "token is expired"))),
		scenario.Row("abuse/token-expired-long-ago", "A token that expired a week ago is refused",
			tokenRefused(expires(-7*24*time.Hour), "token is expired")),
		core(scenario.Row("abuse/token-not-yet-valid", "A token that is not valid yet is refused",
			tokenRefused(func(m maker) (string, error) { return set("nbf", in(beyondLeeway))(m) }, "token not yet valid"))),
		scenario.Row("abuse/token-issued-later", "A token from the future is refused",
			tokenRefused(func(m maker) (string, error) { return set("iat", in(beyondLeeway))(m) },
				"token issued in the future")),
		// Catches: no leeway at all, with which clocks that differ by seconds break jobs.
		scenario.Row("abuse/token-expired-within-leeway", "A token that expired within the leeway of 60 s works",
			tokenWorks(expires(-withinLeeway))),
		scenario.Row("abuse/token-not-yet-valid-within-leeway",
			"A token that becomes valid within the leeway of 60 s works",
			tokenWorks(func(m maker) (string, error) {
				return set("nbf", in(withinLeeway))(m)
			})),
		// OpenBao derives a missing exp from nbf or iat and the leeway of 150 s.
		scenario.Row("abuse/token-expiry-missing", "A fresh token without expiry lives on the leeway",
			tokenWorks(set("exp", nil))),
		scenario.Row("abuse/token-expiry-missing-old", "An old token without expiry is refused",
			tokenRefused(with(func(c map[string]any) {
				delete(c, "exp")
				c["iat"], c["nbf"] = in(-beyondLeeway), in(-beyondLeeway)
			}), "token is expired")),
		scenario.Row("abuse/token-times-missing", "A token without any time is refused",
			tokenRefused(with(func(c map[string]any) {
				delete(c, "exp")
				delete(c, "nbf")
				delete(c, "iat")
			}), "no issued at (iat), not before (nbf), or expiration time (exp) claims")),
		scenario.Row("abuse/token-expiry-text", "An expiry that is text is refused",
			tokenRefused(set("exp", "tomorrow"), "expected number value")),
		// Catches: a claim from the token's end that replaces one that was checked.
		scenario.Row("abuse/token-duplicate-project", "A project claimed twice is the other project's",
			tokenRefused(duplicated("project_id", "1"), "")),
		scenario.Row("abuse/token-duplicate-scope", "A scope claimed twice is refused",
			tokenRefused(duplicated("secrets_manager_scope", "user"), "")),
		// A token of 64 KiB is large, but its signature is good: claims are not counted.
		scenario.Row("abuse/token-large", "A good token of 64 KiB works and costs nobody anything",
			tokenWorks(set("padding", strings.Repeat("x", 48<<10)))),
	)
}

// expires makes a token that expired, or will, and was issued an hour before.
func expires(d time.Duration) func(maker) (string, error) {
	return func(m maker) (string, error) {
		return with(func(c map[string]any) { c["exp"], c["iat"], c["nbf"] = in(d), in(d-time.Hour), in(d-time.Hour) })(m)
	}
}
