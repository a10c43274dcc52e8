package openbao_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/openbao"
)

// TestDo sends one request to a server that answers as OpenBao, a proxy or a
// stranger would.
func TestDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		body    string
		message string
		err     string
	}{
		"value":        {200, `{"request_id":"0a1b","data":{"a":1}}`, "", ""},
		"no content":   {204, "", "", ""},
		"refusal":      {403, `{"errors":["permission denied"]}`, "permission denied", ""},
		"proxy's page": {502, "<html>", "", ""},
		"not OpenBao":  {200, "<html>", "", "not a JSON document of OpenBao"},
		"too long":     {200, strings.Repeat(" ", 4<<20+1), "", "exceeds"},
		"redirect":     {307, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got http.Header
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header
				w.Header().Set("Location", "http://192.0.2.1/")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer s.Close()
			client := openbao.New(s.URL+"/", nil)
			defer client.Close()
			r, err := client.Do(t.Context(), openbao.Request{
				Method: http.MethodGet, Path: "/x", Auth: &openbao.InlineAuth{Path: "auth/p/login", Role: "r", JWT: "planted-jwt"},
			})
			raw, decodeErr := base64.RawURLEncoding.DecodeString(got.Get("X-Vault-Inline-Auth-Parameter-jwt"))
			require.NoError(t, decodeErr)
			require.JSONEq(t, `{"key":"jwt","value":"planted-jwt"}`, string(raw))
			require.Equal(t, "auth/p/login", got.Get("X-Vault-Inline-Auth-Path"))
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.NotContains(t, err.Error(), "planted-jwt")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.status, r.Status)
			require.Equal(t, c.message, r.Message())
			require.Equal(t, strings.HasPrefix(c.body, "<"), r.Foreign)
			if name == "value" {
				require.Equal(t, "0a1b", r.RequestID)
			}
		})
	}
}
