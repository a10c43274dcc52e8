package protocol

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// fake is an OpenBao in memory: KV v2 with metadata, policies with check-and-set, and
// logins that believe every claim.
type fake struct {
	http   *httptest.Server
	issuer *gitlab.Issuer
	next   http.RoundTripper

	mu       sync.Mutex
	spaces   map[string]bool
	values   map[string][]string // by path of the data
	custom   map[string]map[string]any
	versions map[string]int // of metadata, by path
	policies map[string]string
	revision map[string]int // of policies

	lose  func(method, path string) bool // whose request is read, and the connection closed
	kills int
	gone  bool // no node leads after a kill
}

func newFake(t *testing.T) *fake {
	t.Helper()
	issuer, err := gitlab.NewIssuer("http://issuer.example", gitlab.ES256)
	require.NoError(t, err)
	f := &fake{
		issuer: issuer, next: openbao.Trusting(false, nil).Transport, spaces: map[string]bool{},
		values: map[string][]string{},
		custom: map[string]map[string]any{}, versions: map[string]int{}, policies: map[string]string{},
		revision: map[string]int{},
		lose:     func(string, string) bool { return false },
	}
	f.http = httptest.NewServer(f)
	t.Cleanup(f.http.Close)
	return f
}

func (f *fake) about() about {
	return about{issuer: f.issuer, audience: "http://openbao.example", version: "fake"}
}
func (f *fake) kill()        { f.mu.Lock(); f.kills++; f.mu.Unlock() }
func (f *fake) ready() error { return nil }
func (f *fake) close()       {}

func (f *fake) recover(context.Context) error {
	if f.gone {
		return fmt.Errorf("%w: panic", errGone)
	}
	return nil
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host, r.Host = strings.TrimPrefix(f.http.URL, "http://"), ""
	return f.next.RoundTrip(r)
}

// ServeHTTP does one request. One that is to be lost was read, and is not done.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	if f.lose(r.Method, path) {
		panic(http.ErrAbortHandler)
	}
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	status, data, text := f.do(r, path, body)
	w.WriteHeader(status)
	answer := map[string]any{"data": data}
	if text != "" {
		answer["errors"] = []string{text}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *fake) do(r *http.Request, path string, body map[string]any) (status int, data any, text string) {
	space, rest, found := strings.Cut(path, "/sys/policies/acl/")
	if found {
		return f.policy(r.Method, space+"/"+rest, body)
	}
	if space, rest, found = strings.Cut(path, "/secrets/kv/"); found {
		if !f.spaces[space] {
			return http.StatusNotFound, nil, "no handler for route"
		}
		return f.secret(r, space, rest, body)
	}
	if parent, leaf, ok := strings.Cut(path, "sys/namespaces/"); ok {
		if r.Method == http.MethodDelete {
			return f.deleteSpace(parent + leaf)
		}
		f.spaces[parent+leaf] = true
	}
	return http.StatusOK, nil, ""
}

func (f *fake) deleteSpace(name string) (int, any, string) {
	delete(f.spaces, name)
	for _, path := range keys(f.values, f.custom) {
		if strings.HasPrefix(path, name+"/") {
			delete(f.values, path)
			delete(f.custom, path)
			delete(f.versions, path)
		}
	}
	for path := range f.policies {
		if strings.HasPrefix(path, name+"/") {
			delete(f.policies, path)
		}
	}
	return http.StatusOK, map[string]any{"status": "gone"}, ""
}

func keys(values map[string][]string, custom map[string]map[string]any) []string {
	var list []string
	for k := range values {
		list = append(list, k)
	}
	for k := range custom {
		list = append(list, k)
	}
	return list
}

func (f *fake) policy(method, name string, body map[string]any) (int, any, string) {
	switch method {
	case http.MethodGet:
		if f.policies[name] == "" {
			return http.StatusNotFound, nil, ""
		}
		return http.StatusOK, map[string]any{"policy": f.policies[name], "version": f.revision[name]}, ""
	case http.MethodDelete:
		delete(f.policies, name)
		delete(f.revision, name)
		return http.StatusNoContent, nil, ""
	}
	if cas, ok := body["cas"].(float64); ok && !(cas == -1 && f.revision[name] == 0 || int(cas) == f.revision[name]) {
		return http.StatusBadRequest, nil, "check-and-set parameter did not match the current version"
	}
	f.policies[name], f.revision[name] = body["policy"].(string), f.revision[name]+1
	return http.StatusOK, nil, ""
}

func (f *fake) secret(r *http.Request, space, rest string, body map[string]any) (int, any, string) {
	what, name, _ := strings.Cut(rest, "/explicit")
	key := space + name
	if r.URL.Query().Get("list") == "true" {
		info := map[string]any{}
		for path, custom := range f.custom {
			if leaf, own := strings.CutPrefix(path, space+"/"); own {
				info[leaf] = map[string]any{"custom_metadata": custom}
			}
		}
		return http.StatusOK, map[string]any{"key_info": info}, ""
	}
	if !f.may(r, space, rest) {
		return http.StatusForbidden, nil, "permission denied"
	}
	_, valued := f.values[key]
	_, described := f.custom[key]
	switch {
	case r.Method == http.MethodDelete && what == "metadata":
		delete(f.values, key)
		delete(f.custom, key)
		delete(f.versions, key)
	case r.Method == http.MethodDelete:
		f.values[key] = append(f.values[key], "")
	case what == "metadata" && r.Method == http.MethodPost:
		if cas, ok := body["metadata_cas"].(float64); ok && int(cas) != f.versions[key] {
			return http.StatusBadRequest, nil, "metadata check-and-set parameter does not match the current version"
		}
		f.versions[key]++
		f.custom[key], _ = body["custom_metadata"].(map[string]any)
	case r.Method == http.MethodPost:
		options, _ := body["options"].(map[string]any)
		if cas, ok := options["cas"].(float64); ok && int(cas) != len(f.values[key]) {
			return http.StatusBadRequest, nil, "check-and-set parameter did not match the current version"
		}
		f.values[key] = append(f.values[key], body["data"].(map[string]any)["value"].(string))
	case !valued && !described, what == "data" && (!valued || f.values[key][len(f.values[key])-1] == ""):
		return http.StatusNotFound, nil, ""
	case what == "metadata":
		return http.StatusOK, map[string]any{
			"custom_metadata": f.custom[key], "current_version": len(f.values[key]),
			"current_metadata_version": f.versions[key],
		}, ""
	default:
		return http.StatusOK, map[string]any{"data": map[string]any{"value": f.values[key][len(f.values[key])-1]}}, ""
	}
	return http.StatusNoContent, nil, ""
}

// may decides as a policy would. Rails and owners may do everything.
func (f *fake) may(r *http.Request, space, rest string) bool {
	claims := claimsOf(r)
	var names []string
	switch claims["secrets_manager_scope"] {
	case "pipeline":
		environment, _ := claims["environment"].(string)
		for _, scope := range [][2]string{
			{gitlab.Any, gitlab.Any},
			{environment, gitlab.Any},
			{gitlab.Any, claims["ref"].(string)},
			{environment, claims["ref"].(string)},
		} {
			names = append(names, policyName(scope[0], scope[1]))
		}
	case "api":
		names = []string{"api/users/direct/user_" + claims["user_id"].(string)}
	case "user":
		if claims["role_id"] != nil {
			return true
		}
		names = []string{"users/direct/user_" + claims["user_id"].(string)}
	default:
		return true
	}
	kind, _, _ := strings.Cut(rest, "/")
	for _, name := range names {
		var doc struct {
			Path map[string]struct{ Capabilities []string }
		}
		_ = json.Unmarshal([]byte(f.policies[space+"/"+name]), &doc)
		for _, path := range []string{"secrets/kv/" + rest, "secrets/kv/" + kind + "/*"} {
			for _, capability := range doc.Path[path].Capabilities {
				if capability == "read" {
					return true
				}
			}
		}
	}
	return false
}

func claimsOf(r *http.Request) map[string]any {
	var parameter struct{ Value string }
	raw, _ := base64.RawURLEncoding.DecodeString(r.Header.Get("X-Vault-Inline-Auth-Parameter-Jwt"))
	_ = json.Unmarshal(raw, &parameter)
	var claims map[string]any
	if parts := strings.Split(parameter.Value, "."); len(parts) == 3 {
		raw, _ = base64.RawURLEncoding.DecodeString(parts[1])
		_ = json.Unmarshal(raw, &claims)
	}
	return claims
}
