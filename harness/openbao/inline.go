package openbao

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
)

// Header names of OpenBao's inline authentication, see
// https://openbao.org/docs/concepts/auth/ and domain facts on how GitLab uses them.
const (
	headerInlineAuthPath      = "X-Vault-Inline-Auth-Path"
	headerInlineAuthParameter = "X-Vault-Inline-Auth-Parameter-" // any suffix; the JSON inside names the parameter
	headerInlineAuthFailed    = "X-Vault-Inline-Auth-Failed"
	HeaderToken               = "X-Vault-Token"
)

// InlineAuth logs in and makes the request in one round trip: no token is stored
// or returned.
type InlineAuth struct {
	Path string // login path including the namespace, e.g. "auth/gitlab_rails_jwt/login"
	Role string
	JWT  string
}

// Parameter encodes one login parameter as a header value: unpadded URL-safe
// base64 of a JSON object with exactly the members key and value.
func Parameter(key, value string) string {
	raw, _ := json.Marshal(struct { // two strings always encode
		Key   string `json:"key"`
		Value string `json:"value"`
	}{key, value})
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Header returns the request headers, for clients that send them on their own.
func (a *InlineAuth) Header() http.Header {
	h := http.Header{}
	a.set(h)
	return h
}

func (a *InlineAuth) set(h http.Header) {
	h.Set(headerInlineAuthPath, a.Path)
	h.Set(headerInlineAuthParameter+"jwt", Parameter("jwt", a.JWT))
	h.Set(headerInlineAuthParameter+"role", Parameter("role", a.Role))
}
