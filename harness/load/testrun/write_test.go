package testrun

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestWriteKeepsTheSecret(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "load")
	require.NoError(t, sample().Write(dir))
	secret := filepath.Join(dir, SecretFile)
	require.NoError(t, os.Chmod(secret, 0o644))
	require.NoError(t, sample().Write(dir), "again, over what somebody made readable")
	for name, mode := range map[string]os.FileMode{
		".": 0o700, SecretFile: 0o600, configMapFile: 0o644,
		testRunFile: 0o644,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "no temporary file stays")
	err = sample().Write(secret)
	require.Equal(t, exit.Environment, exit.CodeOf(err))
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, sample().Check())
	for want, change := range map[string]func(*Spec){
		"--name Load":               func(s *Spec) { s.Name = "Load" },
		"names of 72 characters":    func(s *Spec) { s.Name = strings.Repeat("a", 60) },
		"--namespace a.b":           func(s *Spec) { s.Namespace = "a.b" },
		`--image ""`:                func(s *Spec) { s.Image = "" },
		"one directory":             func(s *Spec) { s.Scripts["lib/deep.js"] = "" },
		"workload other":            func(s *Spec) { s.Job.Profile.Workload = "other" },
		"do not fit in a ConfigMap": func(s *Spec) { s.Scripts["big.js"] = strings.Repeat("x", maxSecret) },
		"do not fit in a Secret":    func(s *Spec) { s.Job.Fixture = make([]byte, maxSecret+1) },
	} {
		s := sample()
		change(&s)
		err := s.Check()
		require.ErrorContains(t, err, want)
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
	}
}

// jwt is an unsigned token that says when it expires.
func jwt(expires time.Time) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"exp":%d}`, expires.Unix())) + ".sig"
}

func fixtureText(version int, target, token, further string) string {
	return fmt.Sprintf(`{"version":%d,"target":%q,"tenants":[{"name":"p","secretPath":"s","authPath":"a","role":"r","jwt":%q,"jwts":[%q],"secrets":[{"name":"n","sha256":"00"}]}]}`, version, target, token, further)
}

func TestReadFixture(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	const bao = "http://openbao:8200"
	late, soon := jwt(now.Add(time.Hour)), jwt(now.Add(10*time.Minute))
	f, err := ReadFixture([]byte(fixtureText(2, bao, late, soon)), "https://other.example", now, 5*time.Minute)
	require.NoError(t, err)
	require.Equal(t, "fixture of 1 tenants for https://other.example", f.String())
	require.Equal(t, now.Add(10*time.Minute), f.Expires, "the first of all tokens")
	var again map[string]any
	require.NoError(t, json.Unmarshal(f.Document, &again))
	require.Equal(t, "https://other.example", again["target"])
	f, err = ReadFixture([]byte(fixtureText(1, bao, "opaque", "a.b.c")), "", now, time.Minute)
	require.NoError(t, err)
	require.True(t, f.Expires.IsZero(), "other tokens than JWTs do not say")
	for want, tc := range map[string]struct {
		doc, target string
		length      time.Duration
	}{
		"not a fixture":      {`{"version":1`, "", 0},
		"unknown field":      {`{"version":1,"` + late + `":1}`, "", 0},
		"it has version 9":   {fixtureText(9, bao, late, soon), "", 0},
		"it has no tenants":  {`{"version":1,"target":"http://x"}`, "", 0},
		"not a base URL":     {fixtureText(1, "openbao", late, soon), "", 0},
		"not a base URL (":   {fixtureText(1, bao, late, soon), "http://a/v1/sys", 0},
		"a token expires at": {fixtureText(1, bao, late, soon), "", 11 * time.Minute},
	} {
		_, err := ReadFixture([]byte(tc.doc), tc.target, now, tc.length)
		require.ErrorContains(t, err, want)
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
		require.NotContains(t, err.Error(), late[:12])
	}
}

func FuzzReadFixture(f *testing.F) {
	f.Add([]byte(fixtureText(1, "http://a", "a.b.c", "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		fixture, err := ReadFixture(data, "", time.Now(), time.Minute)
		if err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			return
		}
		require.Positive(t, fixture.Tenants)
	})
}
