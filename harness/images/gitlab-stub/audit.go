package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
)

// maxRecord is GitLab's limit on an audit record, in bytes.
const maxRecord = 1 << 20

// tokenHeader is the header in which OpenBao's http audit device sends GitLab's token.
const tokenHeader = "Gitlab-Openbao-Auth-Token"

// serveAudit answers as GitLab does: 202 for an accepted record, 401 for a wrong
// token, 400 for another content type or no JSON, 413 above 1 MiB.
func (s *stub) serveAudit(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(r.Header.Get(tokenHeader)) {
		fail(w, http.StatusUnauthorized, "wrong or missing "+tokenHeader)
		return
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		fail(w, http.StatusBadRequest, "content type must be application/json")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRecord))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		fail(w, http.StatusRequestEntityTooLarge, "record is larger than 1 MiB")
		return
	}
	if err != nil || !json.Valid(body) {
		fail(w, http.StatusBadRequest, "body is not JSON")
		return
	}
	s.records.Add(1)
	s.recordBytes.Add(int64(len(body)))
	w.WriteHeader(http.StatusAccepted)
}

// authorized compares in constant time, whatever the lengths. The file is read on
// each call, so that a rotated Secret needs no restart.
func (s *stub) authorized(given string) bool {
	if s.tokenPath == "" {
		return false
	}
	want, err := os.ReadFile(s.tokenPath)
	if err != nil {
		s.log.Error("audit token unreadable", "error", err.Error())
		return false
	}
	trimmed := strings.TrimSpace(string(want))
	if trimmed == "" {
		return false
	}
	a, b := sha256.Sum256([]byte(trimmed)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
