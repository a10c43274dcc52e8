package audit

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/scenarios/internal/records"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

const (
	investigators = "investigators, who must be able to tell what happened after the fact"
	readers       = "secrets and tokens from everybody who may read logs"
)

func rows() []row {
	return []row{
		{
			"fetch-four-records", "A fetch leaves four records: login and answer, read and answer", investigators, broker, fetch,
			fourRecords,
		},
		{
			"fetch-attributed", "The records of a fetch name the project, the user, the role and GitLab's correlation ID",
			investigators, receiver, fetch, attributed,
		},
		{
			"fetch-located", "The records of a fetch name the secret's path, its namespace and the client's address",
			investigators, receiver, fetch, located,
		},
		{
			"fetch-hashed", "The records of a fetch hold the value and the JWT as hashes only, which can be recomputed", readers,
			hashes, fetch, hashed,
		},
		{"refused-login", "A login that is refused is recorded as refused", investigators, broker, expired, refusedLogin},
		{
			"refused-read", "A read that a policy refuses is recorded with who asked and why it was refused", investigators,
			broker, forbidden, refusedRead,
		},
		{"write-hashed", "A write is recorded, its value as a hash only", readers, hashes, write, written},
		{"rails-recorded", "What Rails does on its own behalf is recorded as such", investigators, receiver, rails, byRails},
	}
}

// fetch is a job's fetch that works.
func fetch(ctx context.Context, w *witness) (string, error) {
	jwt, err := w.job(nil)
	if err != nil {
		return "", err
	}
	a, err := w.env.Send(ctx, gitlab.FetchOf(w.tenant, w.secret.Name, jwt))
	if err == nil && !a.OK() {
		err = fmt.Errorf("fetch: %v", a)
	}
	return jwt, err
}

// expired is a fetch whose token is too old.
func expired(ctx context.Context, w *witness) (string, error) {
	jwt, err := w.job(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() })
	if err != nil {
		return "", err
	}
	return jwt, refusal(w.env.Send(ctx, gitlab.FetchOf(w.tenant, w.secret.Name, jwt)))
}

// forbidden is a fetch by a job that may log in but not read.
func forbidden(ctx context.Context, w *witness) (string, error) {
	jwt, err := w.job(nil)
	if err != nil {
		return "", err
	}
	f := gitlab.FetchOf(w.tenant, w.secret.Name, jwt)
	f.SecretPath = w.other.SecretPath
	return jwt, refusal(w.env.Send(ctx, f))
}

func refusal(a gitlab.Answer, err error) error {
	if err == nil && a.OK() {
		err = errors.New("the fetch was not refused")
	}
	return err
}

// write is what GitLab does when an owner creates a secret; it is deleted again.
func write(ctx context.Context, w *witness) (string, error) {
	auth, err := tenancy.UserAuth(w.env, w.tenant)
	if err != nil {
		return "", err
	}
	name := "STEAMER_AUDITED"
	w.secret = gitlab.Secret{Name: name, Version: 1}
	r, err := w.env.Client.Do(ctx, openbao.Request{
		Method: http.MethodPost, Path: w.tenant.SecretPath + "/" + name, Auth: auth,
		Body: map[string]any{"data": map[string]any{"value": w.tenant.Value(w.env.Seed, w.secret)}},
	})
	if err == nil && !r.OK() {
		err = fmt.Errorf("write: status %d: %s", r.Status, r.Message())
	}
	if err != nil {
		return "", err
	}
	gone, err := tenancy.AsUser(ctx, w.env, w.tenant, http.MethodDelete, strings.Replace(w.tenant.SecretPath, "/data/",
		"/metadata/", 1)+"/"+name, nil)
	if err == nil && !gone.OK() {
		err = fmt.Errorf("clean-up: status %d: %s", gone.Status, gone.Message())
	}
	return auth.JWT, err
}

// rails is a read that Rails makes before it adds to a policy.
func rails(ctx context.Context, w *witness) (string, error) {
	auth, err := w.env.Issuer.RailsAuth(w.env.Audience)
	if err != nil {
		return "", err
	}
	r, err := w.env.Client.Do(ctx, openbao.Request{
		Method: http.MethodGet, Path: w.tenant.Name + "/sys/mounts",
		Auth: auth,
	})
	if err == nil && !r.OK() {
		err = fmt.Errorf("read of mounts: status %d: %s", r.Status, r.Message())
	}
	return auth.JWT, err
}

func fourRecords(_ context.Context, t scenario.T, _ *witness, act *records.Act) {
	for _, pair := range [][]records.Record{act.Login, act.Request} {
		require.Len(t, pair, 2, "records: %v", pair)
		require.Equal(t, records.Request, pair[0].Type)
		require.Equal(t, records.Response, pair[1].Type)
		require.Equal(t, pair[0].Request.ID, pair[1].Request.ID, "request and answer belong together")
		require.False(t, pair[1].Time.Before(pair[0].Time), "the answer was recorded before its request")
		require.Empty(t, pair[1].Error)
	}
}

func attributed(_ context.Context, t scenario.T, w *witness, act *records.Act) {
	for _, r := range act.Request {
		for _, claim := range []string{"correlation_id", "project_id", "user_id"} {
			require.Equal(t, w.claims[claim], r.Auth.Metadata[claim], "%s in %v", claim, r)
		}
		require.NotEmpty(t, r.Auth.EntityID, "entity in %v", r)
	}
}

func located(_ context.Context, t scenario.T, w *witness, act *records.Act) {
	for _, r := range act.Login {
		require.Equal(t, w.tenant.AuthPath, r.Where())
		require.NotEmpty(t, r.Request.RemoteAddress, "client's address in %v", r)
	}
	for _, r := range act.Request {
		require.Equal(t, w.tenant.SecretPath+"/"+w.secret.Name, r.Where())
		require.Equal(t, w.tenant.Name+"/", r.Request.Namespace.Path)
		require.Equal(t, "read", r.Request.Operation)
		require.NotEmpty(t, r.Request.RemoteAddress, "client's address in %v", r)
	}
}

func hashed(ctx context.Context, t scenario.T, w *witness, act *records.Act) {
	value := w.tenant.Value(w.env.Seed, w.secret)
	onlyHashed(ctx, t, w, act.Request[len(act.Request)-1].Line, value)
	onlyHashed(ctx, t, w, act.Login[0].Line, w.jwt)
	for _, r := range append(act.Login, act.Request...) {
		for _, hidden := range []string{value, w.jwt, w.jwt[strings.LastIndexByte(w.jwt, '.')+1:]} {
			for _, form := range secret.Encodings(hidden) {
				if strings.Contains(r.Line, form) {
					t.Errorf("%v holds the value or the JWT in the clear", r)
					return
				}
			}
		}
	}
}

// onlyHashed expects the hash of a secret in a record.
func onlyHashed(ctx context.Context, t scenario.T, w *witness, line, secret string) {
	t.Helper()
	hash, err := w.trail.Hash(ctx, secret)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hash, records.Hashed), "the server hashes by another function than HMAC-SHA256")
	if !strings.Contains(line, hash) {
		t.Errorf("the record does not hold the secret's hash, by which it could be recognised")
	}
}

func refusedLogin(_ context.Context, t scenario.T, w *witness, act *records.Act) {
	last := act.Login[len(act.Login)-1]
	require.Equal(t, w.tenant.AuthPath, last.Where())
	// OpenBao 2.4.0 keeps the reason of the JWT login as data of the answer, and so as a hash.
	require.True(t, last.Error != "" || last.Response.Data["error"] != nil,
		"the record does not say that the login was refused")
	require.Empty(t, act.Request, "the request of a refused login was served: %v", act.Request)
}

func refusedRead(_ context.Context, t scenario.T, w *witness, act *records.Act) {
	last := act.Request[len(act.Request)-1]
	require.Equal(t, w.other.SecretPath+"/"+w.secret.Name, last.Where())
	require.Contains(t, last.Error, "permission denied")
	require.Nil(t, last.Response.Data["data"], "the refused read has a value")
	require.Equal(t, w.claims["project_id"], last.Auth.Metadata["project_id"], "the record does not say whose job it was")
}

func written(ctx context.Context, t scenario.T, w *witness, act *records.Act) {
	first := act.Request[0]
	require.Equal(t, w.tenant.SecretPath+"/"+w.secret.Name, first.Where())
	require.Contains(t, []string{"create", "update"}, first.Request.Operation)
	value := w.tenant.Value(w.env.Seed, w.secret)
	onlyHashed(ctx, t, w, first.Line, value)
	require.NotContains(t, first.Line, value)
}

func byRails(_ context.Context, t scenario.T, w *witness, act *records.Act) {
	last := act.Request[len(act.Request)-1]
	require.Equal(t, w.tenant.Name+"/sys/mounts", last.Where())
	require.Contains(t, last.Auth.Policies, "secrets_manager", "policies in %v", last)
	require.Empty(t, last.Error)
	id, err := correlation(w.jwt)
	require.NoError(t, err)
	require.Equal(t, id, last.Auth.Metadata["correlation_id"], "correlation_id in %v", last)
}

// correlation is the correlation ID in a JWT's claims.
func correlation(jwt string) (string, error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("a JWT has three parts, this one %d", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		ID string `json:"correlation_id"`
	}
	err = json.Unmarshal(raw, &claims)
	return claims.ID, err
}
