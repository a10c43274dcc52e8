package testrun

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
)

// Fixture is a fixture that was read, ready for a load.
type Fixture struct {
	Document []byte // as the load generator reads it; holds tokens
	Target   string
	Tenants  int
	Expires  time.Time // when the first of its tokens does; zero where none says
}

// ReadFixture reads the load generator's document and points it at target, or leaves its own where
// that is empty. length is how long the load takes; tokens that do not outlast it are refused.
// Errors are of code exit.Invalid and hold no token.
func ReadFixture(data []byte, target string, now time.Time, length time.Duration) (Fixture, error) {
	const hint = "see perf/README.md for the document; make one with fresh tokens"
	var doc gitlab.Fixture
	if err := document.JSON(data, &doc); err != nil {
		return Fixture{}, exit.Invalidf("--fixture", hint, "not a fixture: %s", load.Redact(err.Error()))
	}
	if doc.Version < gitlab.FixtureVersion || doc.Version > gitlab.FixtureVersion2 {
		return Fixture{}, exit.Invalidf("--fixture", hint, "it has version %d, want %d or %d", doc.Version,
			gitlab.FixtureVersion, gitlab.FixtureVersion2)
	}
	if len(doc.Tenants) == 0 {
		return Fixture{}, exit.Invalidf("--fixture", hint, "it has no tenants")
	}
	if target != "" {
		doc.Target = target
	}
	if u, err := url.Parse(doc.Target); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" ||
		strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" {
		return Fixture{}, exit.Invalidf("--target",
			"use the URL at which pods reach OpenBao, such as http://openbao-active.openbao.svc:8200",
			"not a base URL (scheme, host and port)")
	}
	f := Fixture{Target: doc.Target, Tenants: len(doc.Tenants)}
	for _, jwt := range tokens(&doc) {
		if at, ok := expiry(jwt); ok && (f.Expires.IsZero() || at.Before(f.Expires)) {
			f.Expires = at
		}
	}
	if !f.Expires.IsZero() && f.Expires.Before(now.Add(length)) {
		return Fixture{}, exit.Invalidf("--fixture",
			"make one with fresh tokens that outlast the load, and apply the manifests soon",
			"a token expires at %s, before a load of %s that began now would end", f.Expires.UTC().Format(time.RFC3339), length)
	}
	document, err := json.Marshal(doc)
	f.Document = document
	return f, err
}

func tokens(f *gitlab.Fixture) []string {
	var all []string
	login := func(l *gitlab.FixtureLogin) {
		if l != nil {
			all = append(all, l.JWTs...)
		}
	}
	login(f.Rails)
	for _, t := range f.Tenants {
		all = append(append(all, t.JWT), t.JWTs...)
		login(t.Owner)
	}
	return all
}

// expiry reads the claim exp of a JWT (RFC 7519 section 4.1.4), which OpenBao verifies and nobody
// here.
func expiry(jwt string) (time.Time, bool) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Exp <= 0 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Exp), 0), true
}

// String says what it is without saying what is in it.
func (f Fixture) String() string {
	return fmt.Sprintf("fixture of %d tenants for %s", f.Tenants, f.Target)
}
