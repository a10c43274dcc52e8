package openbao_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/secret"
)

// vault answers as Vault does, and records what it was asked.
func vault(t *testing.T, kind string, asked *[]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Method+" "+r.URL.Path+" "+r.Header.Get(openbao.HeaderToken)+
			r.Header.Get("X-Vault-Inline-Auth-Path"))
		switch r.URL.Path {
		case "/v1/auth/p/login":
			var body struct{ Role, JWT string }
			_ = json.NewDecoder(r.Body).Decode(&body)
			if body.JWT != "planted-jwt" || body.Role != "r" {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"errors":["error validating token"]}`))
				return
			}
			_, _ = fmt.Fprintf(w, `{"auth":{"client_token":"planted-token","token_type":%q}}`, kind)
		case "/v1/kv/data/x":
			_, _ = w.Write([]byte(`{"data":{"a":1}}`))
		case "/v1/sys/init":
			_, _ = w.Write([]byte(`{"keys":["706c616e7465642d6b6579"],"keys_base64":["cGxhbnRlZC1rZXk="],"root_token":"planted-root"}`))
		case "/v1/sys/unseal":
			var body struct{ Key string }
			_ = json.NewDecoder(r.Body).Decode(&body)
			_, _ = fmt.Fprintf(w, `{"sealed":%t}`, body.Key != "cGxhbnRlZC1rZXk=")
		case "/v1/auth/token/revoke-self":
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors":["permission denied"]}`))
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestLogin: where there is no inline authentication, a request with one is a login, the request
// and the end of a token that is stored; a refused login is told apart from a refused request.
func TestLogin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind, jwt, path string
		status          int
		login           bool
		asked           []string
	}{
		"service token": {"service", "planted-jwt", "kv/data/x", 200, false, []string{
			"POST /v1/auth/p/login ", "GET /v1/kv/data/x planted-token", "POST /v1/auth/token/revoke-self planted-token",
		}},
		"batch token": {"batch", "planted-jwt", "kv/data/x", 200, false, []string{
			"POST /v1/auth/p/login ", "GET /v1/kv/data/x planted-token",
		}},
		"refused login": {"batch", "other", "kv/data/x", 400, true, []string{"POST /v1/auth/p/login "}},
		"refused request": {"batch", "planted-jwt", "kv/data/y", 403, false, []string{
			"POST /v1/auth/p/login ", "GET /v1/kv/data/y planted-token",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			client := openbao.KindVault.Client(vault(t, c.kind, &asked), nil)
			defer client.Close()
			r, err := client.Do(t.Context(), openbao.Request{
				Method: http.MethodGet, Path: c.path,
				Auth: &openbao.InlineAuth{Path: "auth/p/login", Role: "r", JWT: c.jwt},
			})
			require.NoError(t, err)
			require.Equal(t, c.status, r.Status)
			require.Equal(t, c.login, r.InlineAuthFailed)
			require.Equal(t, c.asked, asked)
		})
	}
}

// TestKeys: keys unseal, and leave the process in no text.
func TestKeys(t *testing.T) {
	t.Parallel()
	var asked []string
	client := openbao.KindVault.Client(vault(t, "batch", &asked), nil)
	defer client.Close()
	keys, err := client.Initialise(t.Context())
	require.NoError(t, err)
	require.NoError(t, client.Unseal(t.Context(), keys))
	require.ErrorContains(t, client.Unseal(t.Context(), openbao.Keys{}), "sealed still")
	require.Equal(t, "planted-root", keys.Root().Get(openbao.HeaderToken))
	text := secret.Redact("planted-root cGxhbnRlZC1rZXk= 706c616e7465642d6b6579 planted-key") + fmt.Sprintf("%v %+v %#v",
		keys, keys, keys)
	for _, hidden := range []string{"planted", "cGxhbnRlZC1rZXk", "706c616e"} {
		require.NotContains(t, text, hidden)
	}
	answering, err := client.Answering(t.Context())
	require.NoError(t, err)
	require.Equal(t, openbao.KindVault, answering)
}

// TestRegistered reads the labels of either program.
func TestRegistered(t *testing.T) {
	t.Parallel()
	require.Equal(t, "true", openbao.Registered(map[string]string{"openbao-active": "true"}, openbao.LabelActive))
	require.Equal(t, "false", openbao.Registered(map[string]string{"vault-sealed": "false"}, openbao.LabelSealed))
	require.Empty(t, openbao.Registered(map[string]string{"vault-version": "1"}, openbao.LabelInitialized))
}
