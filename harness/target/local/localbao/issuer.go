package localbao

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// keysPath is where GitLab serves its public keys, below the issuer URL.
const keysPath = "/oauth/discovery/keys"

// discovery is an OpenID Connect issuer on loopback, as far as OpenBao looks:
// the discovery document and the public keys.
type discovery struct {
	url    string
	server *http.Server
	ended  chan struct{}
	mu     sync.RWMutex
	jwks   []byte
}

// startDiscovery serves an issuer without keys on a free loopback port.
func startDiscovery() (*discovery, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	d := &discovery{
		url:   "http://" + listener.Addr().String(),
		jwks:  []byte(`{"keys":[]}`),
		ended: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", d.configuration)
	mux.HandleFunc("GET "+keysPath, d.keys)
	d.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(d.ended)
		_ = d.server.Serve(listener) // returns when Stop closes it
	}()
	return d, nil
}

// URL is the issuer: the claim iss and the base of the discovery document.
func (d *discovery) URL() string { return d.url }

// Publish replaces the public keys. OpenBao fetches them again when it meets a
// key ID it does not know.
func (d *discovery) Publish(jwks []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.jwks = append([]byte(nil), jwks...)
}

// Stop closes the server and its connections.
func (d *discovery) Stop() {
	_ = d.server.Close()
	<-d.ended
}

func (d *discovery) configuration(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"issuer":                                d.url,
		"jwks_uri":                              d.url + keysPath,
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
	})
}

func (d *discovery) keys(w http.ResponseWriter, _ *http.Request) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(d.jwks)
}
