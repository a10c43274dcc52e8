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
	mux    *http.ServeMux
	ended  chan struct{}

	mu       sync.RWMutex
	jwks     []byte
	trouble  Trouble
	over     chan struct{} // closed when the trouble is over
	troubled int           // requests that met any
}

// Trouble is what an issuer does with requests instead of answering them.
type Trouble int

// The troubles of an issuer.
const (
	Well   Trouble = iota // none
	Aborts                // it ends the connection
	Hangs                 // it lets requests wait until the trouble is over, and then ends the connection
	Errors                // it answers 500
)

// Trouble has the server's issuer be in trouble from now on, or Well. It returns how many requests
// have met trouble since the server started.
func (s *Server) Trouble(t Trouble) int {
	d := s.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.over)
	d.trouble, d.over = t, make(chan struct{})
	return d.troubled
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
		over:  make(chan struct{}),
		mux:   http.NewServeMux(),
	}
	d.mux.HandleFunc("GET /.well-known/openid-configuration", d.configuration)
	d.mux.HandleFunc("GET "+keysPath, d.keys)
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: 10 * time.Second}
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

// ServeHTTP answers, unless there is trouble.
func (d *discovery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	trouble, over := d.trouble, d.over
	if trouble != Well {
		d.troubled++
	}
	d.mu.Unlock()
	switch trouble {
	case Well:
		d.mux.ServeHTTP(w, r)
		return
	case Errors:
		http.Error(w, "in trouble", http.StatusInternalServerError)
		return
	case Hangs:
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}
	panic(http.ErrAbortHandler)
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
