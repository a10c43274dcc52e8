package openbao

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// throughLogin makes a request with inline authentication at a server that has none: a login, the
// request with the token, and the token's revocation, so that none is left in the storage. A
// refused login is the answer, and its InlineAuthFailed says so. The latency is that of all three.
func (c *Client) throughLogin(ctx context.Context, r Request) (*Response, error) {
	began := time.Now()
	login, err := c.send(ctx, Request{
		Method: http.MethodPost, Path: r.Auth.Path, Body: map[string]string{"role": r.Auth.Role, "jwt": r.Auth.JWT},
	})
	if err != nil {
		return nil, err
	}
	if !login.OK() {
		login.InlineAuthFailed = true
		return login, nil
	}
	var auth struct {
		Token string `json:"client_token"`
		Type  string `json:"token_type"`
	}
	if err := json.Unmarshal(login.Auth, &auth); err != nil || auth.Token == "" {
		return nil, fmt.Errorf("POST %s: status %d and no token", r.Auth.Path, login.Status)
	}
	r.Auth, r.Header = nil, withToken(r.Header, auth.Token)
	answer, err := c.send(ctx, r)
	if auth.Type == "service" {
		// That it failed is no fault of the request: the token ends by itself.
		_, _ = c.send(ctx, Request{
			Method: http.MethodPost, Path: "auth/token/revoke-self", Header: withToken(nil, auth.Token),
		})
	}
	if answer != nil {
		answer.Latency = time.Since(began)
	}
	return answer, err
}

// withToken returns a copy of the headers with a token.
func withToken(header http.Header, token string) http.Header {
	out := header.Clone()
	if out == nil {
		out = http.Header{}
	}
	out.Set(HeaderToken, token)
	return out
}
