package abuse

import (
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// tokenClaims are properly signed tokens whose claims are not a job's. Where the two roles differ,
// GitLab's templated role is laxer: it checks only the project and the scope.
func tokenClaims() []scenario.Scenario {
	const unbound = "does not match any associated bound claim values"
	crash := outcome{crash: true}
	return scenario.Table(tokenTable(),
		// Catches: a role without audience, so that any ID token of the instance logs in.
		core(scenario.Row("abuse/token-audience-wrong", "A token for another audience is refused",
			tokenRefused(set("aud", "https://somewhere-else.example"), audience))),
		scenario.Row("abuse/token-audience-missing", "A token without an audience is refused",
			tokenRefused(set("aud", nil), audience)),
		scenario.Row("abuse/token-audience-empty", "A token with an empty audience is refused",
			tokenRefused(set("aud", ""), audience)),
		// Catches: audiences compared by prefix.
		scenario.Row("abuse/token-audience-longer", "An audience that starts with the right one is refused",
			tokenRefused(func(m maker) (string, error) { return set("aud", m.env.Audience+".example")(m) }, audience)),
		// GitLab's CEL program converts aud to text, which fails for a list. The templated role
		// accepts a list, as RFC 7519 says.
		scenario.Row("abuse/token-audience-list", "The CEL role refuses a list of audiences",
			token(func(m maker) (string, error) {
				return set("aud", []string{m.env.Audience, "https://somewhere-else.example"})(m)
			}, taken, refused("no such overload: string(list)"))),
		// Catches: a mount that is not bound to its issuer.
		core(scenario.Row("abuse/token-issuer-wrong", "A token that names another issuer is refused",
			tokenRefused(set("iss", "https://somewhere-else.example"), issuer))),
		scenario.Row("abuse/token-issuer-missing", "A token without an issuer is refused",
			tokenRefused(set("iss", nil), issuer)),
		scenario.Row("abuse/token-issuer-slash", "An issuer with a trailing slash is refused",
			tokenRefused(func(m maker) (string, error) { return set("iss", m.env.Issuer.URL()+"/")(m) }, issuer)),
		// The templated role has no bound subject (GitLab 18.9), so only the CEL role checks it.
		scenario.Row("abuse/token-subject-missing", "The CEL role refuses a token without a subject",
			token(set("sub", nil), taken, refused("missing subject"))),
		scenario.Row("abuse/token-subject-of-user", "The CEL role refuses a user's subject",
			token(set("sub", "user:somebody"), taken, refused("invalid subject for pipeline authentication"))),
		scenario.Row("abuse/token-subject-prefix", "The CEL role refuses a subject that only contains project_path:",
			token(set("sub", "x project_path:"), taken, refused("invalid subject for pipeline authentication"))),
		// Catches: a role that accepts every token of the issuer.
		scenario.Row("abuse/token-scope-missing", "A token without a scope, like any ordinary ID token, is refused",
			token(set("secrets_manager_scope", nil), refused("is missing"), refused("missing secrets_manager_scope"))),
		core(scenario.Row("abuse/token-scope-of-user", "A token with a user's scope is refused",
			token(set("secrets_manager_scope", "user"), refused(unbound), refused("invalid secrets_manager_scope")))),
		scenario.Row("abuse/token-scope-privileged", "A token with Rails' scope is refused",
			token(set("secrets_manager_scope", "privileged"), refused(unbound), refused("invalid secrets_manager_scope"))),
		scenario.Row("abuse/token-scope-other-case", "Scopes are case-sensitive",
			token(set("secrets_manager_scope", "Pipeline"), refused(unbound), refused("invalid secrets_manager_scope"))),
		// Catches: a role that does not check the project.
		scenario.Row("abuse/token-project-missing", "A token without a project is refused",
			token(set("project_id", nil), refused(`"project_id" not found`), refused("missing project_id"))),
		core(scenario.Row("abuse/token-project-wrong", "A token of another project is refused",
			token(set("project_id", "1"), refused(unbound), refused("token project_id does not match project")))),
		scenario.Row("abuse/token-project-list", "A list of projects is refused",
			token(func(m maker) (string, error) {
				return set("project_id", []any{"1", m.claims()["project_id"]})(m)
			}, refused("could not be converted to string"), refused("no such overload: string(list)"))),
		scenario.Row("abuse/token-project-pattern", "A project ID of * is refused",
			token(set("project_id", "*"), refused(unbound), refused("token project_id does not match project"))),
		// The templated role does not check the user.
		scenario.Row("abuse/token-user-missing", "The CEL role refuses a token without a user",
			token(set("user_id", nil), taken, refused("missing user_id"))),
		scenario.Row("abuse/token-user-empty", "The CEL role refuses a token with an empty user",
			token(set("user_id", ""), taken, refused("missing user_id"))),
		// OpenBao 2.4.0 answers 500 when a template cannot use a claim. Runner retries that twice,
		// and Rails treats it as an outage.
		scenario.Needing(scenario.FeatureClaimPolicies, scenario.Row("abuse/token-environment-list",
			"An environment that is a list is refused",
			token(set("environment", []string{"production"}), crash, refused("no such overload: string(list)")))),
		scenario.Needing(scenario.FeatureClaimPolicies, scenario.Row("abuse/token-reference-missing",
			"A token without a ref gets no extra access",
			token(set("ref", nil), crash, taken))),
		scenario.Needing(scenario.FeatureClaimPolicies, scenario.Row("abuse/token-reference-type-missing",
			"A token without a ref type gets no extra access",
			token(set("ref_type", nil), crash, taken))),
		// Catches: a leeway that is too long.
		core(scenario.Row("abuse/token-expired", "An expired token is refused",
			tokenRefused(expires(-beyondLeeway), "token is expired"))),
		scenario.Row("abuse/token-expired-long-ago", "A token that expired a week ago is refused",
			tokenRefused(expires(-7*24*time.Hour), "token is expired")),
		core(scenario.Row("abuse/token-not-yet-valid", "A token that is not valid yet is refused",
			tokenRefused(at("nbf", beyondLeeway), "token not yet valid"))),
		scenario.Row("abuse/token-issued-later", "A token issued in the future is refused",
			tokenRefused(at("iat", beyondLeeway),
				"token issued in the future")),
		// Catches: a missing leeway, which breaks jobs when clocks differ by seconds.
		scenario.Row("abuse/token-expired-within-leeway", "A token that expired within the leeway of 60 s works",
			tokenWorks(expires(-withinLeeway))),
		scenario.Row("abuse/token-not-yet-valid-within-leeway",
			"A token that becomes valid within the leeway of 60 s works",
			tokenWorks(at("nbf", withinLeeway))),
		// OpenBao derives a missing exp from nbf or iat and the leeway of 150 s.
		scenario.Row("abuse/token-expiry-missing", "A fresh token without an expiry works within the leeway",
			tokenWorks(set("exp", nil))),
		scenario.Row("abuse/token-expiry-missing-old", "An old token without an expiry is refused",
			tokenRefused(with(func(c map[string]any) {
				delete(c, "exp")
				c["iat"], c["nbf"] = in(-beyondLeeway), in(-beyondLeeway)
			}), "token is expired")),
		scenario.Row("abuse/token-times-missing", "A token without any time claim is refused",
			tokenRefused(with(func(c map[string]any) {
				delete(c, "exp")
				delete(c, "nbf")
				delete(c, "iat")
			}), "no issued at (iat), not before (nbf), or expiration time (exp) claims")),
		scenario.Row("abuse/token-expiry-text", "An expiry that is text is refused",
			tokenRefused(set("exp", "tomorrow"), "expected number value")),
		// Catches: a second claim that replaces one that was checked.
		scenario.Row("abuse/token-duplicate-project", "A token with two project IDs is refused",
			tokenRefused(duplicated("project_id", "1"), "")),
		scenario.Row("abuse/token-duplicate-scope", "A token with two scopes is refused",
			tokenRefused(duplicated("secrets_manager_scope", "user"), "")),
		// The number and size of claims is not limited, and the signature of this token is valid.
		scenario.Row("abuse/token-large", "A valid token of 64 KiB works and has no side effects",
			tokenWorks(set("padding", strings.Repeat("x", 48<<10)))),
	)
}

// at makes a properly signed token with one time claim relative to now.
func at(claim string, d time.Duration) func(maker) (string, error) {
	return with(func(c map[string]any) { c[claim] = in(d) })
}

// expires makes a token that expired, or will, and was issued an hour before.
func expires(d time.Duration) func(maker) (string, error) {
	return with(func(c map[string]any) { c["exp"], c["iat"], c["nbf"] = in(d), in(d-time.Hour), in(d-time.Hour) })
}
