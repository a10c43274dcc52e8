package gitlab

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	"gitlab.com/steamer/steamer/harness/openbao"
)

// SetupCall is an update that GitLab's chart has a server make in an empty storage.
type SetupCall struct {
	Name, Path string
	Data       map[string]any
}

// Setup is the calls of GitLab's chart in its order: Rails' login, its policy and its role. issuer
// is GitLab's URL, audience the claim aud of its tokens.
func Setup(kind openbao.Kind, issuer, audience string) []SetupCall {
	type m = map[string]any
	capabilities := `"create","read","update","patch","delete","list","scan","sudo"`
	config := m{"oidc_discovery_url": issuer, "bound_issuer": issuer}
	role := m{
		"role_type": "jwt", "bound_audiences": audience, "user_claim": "user_id",
		"token_policies": "secrets_manager", "bound_subject": railsSubject,
		"bound_claims": m{scopeClaim: scopePrivileged},
		"claim_mappings": m{
			"correlation_id": "correlation_id", "project_id": "project_id", "group_id": "group_id",
			"namespace_id": "namespace_id", "user_id": "user_id",
		},
	}
	if kind == openbao.KindVault {
		capabilities = `"create","read","update","patch","delete","list","sudo"`
		// Rails logs in for each request. A batch token is not stored, like an inline login.
		maps.Copy(role, m{"token_type": "batch", "token_ttl": serviceTTL.String()})
	} else {
		config["skip_jwks_validation"] = true
	}
	return []SetupCall{
		{"enable-jwt", "sys/auth/gitlab_rails_jwt", m{"type": "jwt"}},
		{"configure-jwt", "auth/gitlab_rails_jwt/config", config},
		{"policy", "sys/policies/acl/secrets_manager", m{"policy": `path "*" { capabilities = [` + capabilities + `] }`}},
		{"role", "auth/gitlab_rails_jwt/role/app", role},
	}
}

// SetUp makes the calls of Setup, and an audit device that writes to a file ("stdout" is the
// server's output, "" makes none), at a server that does not initialise itself. It acts as root
// and ends the root token, which nothing needs afterwards.
func SetUp(ctx context.Context, kind openbao.Kind, client *openbao.Client, keys openbao.Keys,
	issuer, audience, audit string,
) error {
	calls := Setup(kind, issuer, audience)
	if audit != "" {
		calls = append(calls, SetupCall{"audit", "sys/audit/stdout", map[string]any{
			"type": "file", "options": map[string]string{"file_path": audit},
		}})
	}
	calls = append(calls, SetupCall{"revoke root", "auth/token/revoke-self", nil})
	for _, call := range calls {
		r, err := client.Do(ctx, openbao.Request{
			Method: http.MethodPost, Path: call.Path, Body: call.Data, Header: keys.Root(),
		})
		if err != nil {
			return fmt.Errorf("setting up Rails' login: %s: %w", call.Name, err)
		}
		if !r.OK() {
			return refusal("setting up Rails' login: "+call.Name, http.MethodPost, call.Path, r)
		}
	}
	return nil
}
