package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestDiscovery(t *testing.T) {
	t.Parallel()
	r := start(t)
	status, text := r.get(t, "/.well-known/openid-configuration")
	var document struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil || status != http.StatusOK {
		t.Fatalf("%d %v", status, err)
	}
	if document.Issuer != issuerURL || document.JWKS != issuerURL+"/oauth/discovery/keys" {
		t.Fatalf("got %+v", document)
	}
}

// TestKeysFollowTheFile checks that a changed ConfigMap is served without a restart.
func TestKeysFollowTheFile(t *testing.T) {
	t.Parallel()
	r := start(t)
	if status, text := r.get(t, "/oauth/discovery/keys"); status != http.StatusOK || text != publicKeys {
		t.Fatalf("%d %s", status, text)
	}
	rotated := strings.Replace(publicKeys, "k1", "k2", 1)
	write(t, r.keys, rotated)
	if _, text := r.get(t, "/oauth/discovery/keys"); text != rotated {
		t.Fatalf("got %s", text)
	}
}

// TestUnusableKeys checks that nothing but public keys is served, and that the
// refusal names the mistake without the key.
func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, keys, want string }{
		{"private RSA key", `{"keys":[{"kty":"RSA","n":"a","e":"b","d":"PRIVATE"}]}`, `private member \"d\"`},
		{"RSA prime", `{"keys":[{"kty":"RSA","p":"PRIVATE"}]}`, `private member \"p\"`},
		{"symmetric key", `{"keys":[{"kty":"EC"},{"kty":"oct","k":"PRIVATE"}]}`, "key 1"},
		{"no type", `{"keys":[{"n":"PRIVATE"}]}`, "kty"},
		{"no keys", `{}`, `no member \"keys\"`},
		{"no object", `["PRIVATE"]`, "not a JSON Web Key Set"},
		{"no JSON", `PRIVATE`, "not a JSON Web Key Set"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			write(t, r.keys, tt.keys)
			for path, want := range map[string]int{"/oauth/discovery/keys": 500, "/-/health": 503} {
				status, text := r.get(t, path)
				if status != want || !strings.Contains(text, tt.want) || strings.Contains(text, "PRIVATE") {
					t.Errorf("%s: %d %s", path, status, text)
				}
			}
		})
	}
}

// TestPublish checks that a published key set counts at once, in place of the file's, until it is
// withdrawn.
func TestPublish(t *testing.T) {
	t.Parallel()
	r := start(t)
	rotated := strings.ReplaceAll(publicKeys, "k1", "k2")
	put := func(body string) (int, string) {
		return r.do(t, t.Context(), http.MethodPut, "/-/keys", body, http.Header{})
	}
	served := func() string {
		_, text := r.get(t, "/oauth/discovery/keys")
		return text
	}
	for _, bad := range []string{"", "{}", `{"keys":[{"kty":"RSA","d":"AQAB"}]}`, `{"keys":[]}` + strings.Repeat(" ",
		maxKeys)} {
		if status, text := put(bad); status != http.StatusBadRequest || served() != publicKeys {
			t.Fatalf("%.40q: %d %s", bad, status, text)
		}
	}
	if status, text := put(rotated); status != http.StatusNoContent || served() != rotated {
		t.Fatalf("%d %s; serves %s", status, text, served())
	}
	write(t, r.keys, "no keys")
	if status, _ := r.get(t, "/-/health"); status != http.StatusOK || served() != rotated {
		t.Fatal("the file shows through")
	}
	write(t, r.keys, publicKeys)
	if status, _ := r.do(t, t.Context(), http.MethodDelete, "/-/keys", "",
		http.Header{}); status != http.StatusNoContent || served() != publicKeys {
		t.Fatalf("withdrawn: %d; serves %s", status, served())
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	if status, text := start(t).get(t, "/-/health"); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
}

// TestFaultsAtStart runs the program's own start with a fault in the environment.
func TestFaultsAtStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/jwks.json", publicKeys)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"ISSUER": issuerURL, "LISTEN": address, "JWKS_FILE": dir + "/jwks.json",
		"FAULTS": `{"discovery":{"status":503}}`,
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, nil, func(name string) string { return env[name] }, io.Discard, slog.New(slog.DiscardHandler))
	}()
	r := &running{url: "http://" + address}
	status := 0
	eventually(t, "an answer", func() bool {
		status, _ = r.get(t, "/.well-known/openid-configuration")
		return status != 0
	})
	stop()
	if err := <-done; err != nil || status != http.StatusServiceUnavailable {
		t.Fatalf("got %d, %v", status, err)
	}
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		args []string
		want string
	}{
		{"no issuer", nil, "issuer"},
		{"issuer without a scheme", []string{"-issuer", "gitlab-stub:8080"}, "issuer"},
		{"trailing slash", []string{"-issuer", "http://stub/"}, "trailing slash"},
		{"query", []string{"-issuer", "http://stub?a"}, "issuer"},
		{"argument", []string{"-issuer", issuerURL, "serve"}, "serve"},
		{"unknown flag", []string{"-key"}, "key"},
		{"faults", []string{"-issuer", issuerURL, "-faults", `{"oidc":{}}`}, `no endpoint "oidc"`},
		{"address", []string{"-issuer", issuerURL, "-listen", "nowhere"}, "listen"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), tt.args, func(string) string { return "" }, io.Discard, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// FuzzCheckKeys checks that no input crashes the check and that none with a private
// RSA or EC member passes it.
func FuzzCheckKeys(f *testing.F) {
	f.Add([]byte(publicKeys))
	f.Add([]byte(`{"keys":[{"kty":"EC","d":"x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if checkKeys(data) != nil {
			return
		}
		var set struct {
			Keys []map[string]any `json:"keys"`
		}
		if err := json.Unmarshal(data, &set); err != nil {
			t.Fatalf("passed, but does not parse: %v", err)
		}
		for _, key := range set.Keys {
			if _, private := key["d"]; private {
				t.Fatal("a private key passed")
			}
		}
	})
}
