package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// stub holds what the endpoints share. Its counters start at zero with the
// process and only grow.
type stub struct {
	issuer    string // without a trailing slash, as it stands in the tokens
	jwksPath  string
	tokenPath string // empty: no audit record is accepted
	log       *slog.Logger
	published atomic.Pointer[[]byte] // key set to serve instead of the file's; nil: none

	connections atomic.Int64 // TCP connections accepted
	discovery   endpoint
	keys        endpoint
	audit       endpoint
	records     atomic.Int64 // audit records accepted
	recordBytes atomic.Int64 // bytes of the accepted records
}

// newStub checks the issuer URL: OpenBao compares it with the discovery document's
// and with the tokens' issuer, character by character (OpenID Connect Discovery
// 1.0, section 4.3), so a URL with a query, a fragment or a trailing slash can never match.
func newStub(issuer, jwksPath, tokenPath string, log *slog.Logger) (*stub, error) {
	u, err := url.Parse(issuer)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" ||
		u.User != nil {
		return nil, fmt.Errorf("issuer %q: give an http or https URL with a host and without user, query or fragment "+
			"(flag -issuer or ISSUER)", issuer)
	}
	if strings.HasSuffix(issuer, "/") {
		return nil, fmt.Errorf("issuer %q: remove the trailing slash", issuer)
	}
	return &stub{issuer: issuer, jwksPath: jwksPath, tokenPath: tokenPath, log: log}, nil
}

// handler routes the issuer's, GitLab's and the stub's own endpoints.
func (s *stub) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /.well-known/openid-configuration", s.discovery.wrap(s.serveDiscovery))
	mux.Handle("GET /oauth/discovery/keys", s.keys.wrap(s.serveKeys))
	mux.Handle("POST /api/v4/internal/secrets_manager/audit_logs", s.audit.wrap(s.serveAudit))
	mux.HandleFunc("GET /-/health", s.serveHealth)
	mux.HandleFunc("GET /-/counters", s.serveCounters)
	mux.HandleFunc("POST /-/control", s.serveControl)
	mux.HandleFunc("PUT /-/keys", s.servePublish)
	mux.HandleFunc("DELETE /-/keys", s.serveWithdraw)
	return mux
}

// countConnection is the server's ConnState hook: OpenBao opening a connection
// per audit record is something to see.
func (s *stub) countConnection(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		s.connections.Add(1)
	}
}

// writeJSON answers with a JSON body. A client that went away is not an error.
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// fail answers as GitLab's API does: a JSON object with one message.
func fail(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"message": message})
}
