package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// privateMembers are the JSON Web Key members that hold private or symmetric key
// material (RFC 7518, sections 6.2.2, 6.3.2 and 6.4).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// serveDiscovery answers with what OpenBao's JWT method reads of an OpenID provider
// (OpenID Connect Discovery 1.0, section 3).
func (s *stub) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                s.issuer,
		"jwks_uri":                              s.issuer + "/oauth/discovery/keys",
		"authorization_endpoint":                s.issuer + "/oauth/authorize",
		"token_endpoint":                        s.issuer + "/oauth/token",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
	})
}

// maxKeys bounds a published key set, in bytes.
const maxKeys = 1 << 20

// keySet is the published key set, else the one that the file has now: a changed ConfigMap needs
// no restart.
func (s *stub) keySet() ([]byte, error) {
	if published := s.published.Load(); published != nil {
		return *published, nil
	}
	return readKeys(s.jwksPath)
}

// serveKeys answers with the key set.
func (s *stub) serveKeys(w http.ResponseWriter, _ *http.Request) {
	keys, err := s.keySet()
	if err != nil {
		s.log.Error("key set unusable", "error", err.Error())
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(keys)
}

// serveHealth is ready when the key set can be served; faults do not change it.
func (s *stub) serveHealth(w http.ResponseWriter, _ *http.Request) {
	if _, err := s.keySet(); err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readKeys reads a JSON Web Key Set and refuses private key material. Errors
// name the file and the key, never a key's content.
func readKeys(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if err := checkKeys(data); err != nil {
		return nil, fmt.Errorf("key set %s: %w", path, err)
	}
	return data, nil
}

func checkKeys(data []byte) error {
	var set struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return errors.New("not a JSON Web Key Set: an object with a list \"keys\" of objects is expected")
	}
	if set.Keys == nil {
		return errors.New("no member \"keys\"")
	}
	for i, key := range set.Keys {
		if key["kty"] == nil {
			return fmt.Errorf("key %d has no \"kty\"", i)
		}
		for _, member := range privateMembers {
			if _, found := key[member]; found {
				return fmt.Errorf("key %d holds the private member %q: give public keys only", i, member)
			}
		}
	}
	return nil
}
