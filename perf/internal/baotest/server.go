// Package baotest runs a real OpenBao on a real PostgreSQL with tenants as GitLab makes them, for
// this module's tests and benchmarks.
package baotest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// Server is a running OpenBao with its PostgreSQL.
type Server struct {
	// Fixture lists the tenants with valid job tokens.
	Fixture *fixture.Fixture

	dir   string
	procs []*child
	keys  *signer
	token string

	tokenType string // that job logins give
}

// Option changes how a server is set up.
type Option func(*Server)

// BatchTokens makes job logins give batch tokens, of which OpenBao keeps nothing. With the service
// tokens of GitLab's role OpenBao 2.4.0 keeps a lease in memory for each inline fetch until it
// would end, so that a server driven hard for 20 minutes gets slower all the time.
func BatchTokens() Option { return func(s *Server) { s.tokenType = "batch" } }

// Binary returns OpenBao's program: $STEAMER_BAO, or bao on the PATH.
func Binary() (string, error) {
	if p := os.Getenv("STEAMER_BAO"); p != "" {
		return p, nil
	}
	p, err := exec.LookPath("bao")
	if err != nil {
		return "", fmt.Errorf("OpenBao: %w: set STEAMER_BAO to its binary", err)
	}
	return p, nil
}

// Start brings the server up with the given number of tenants, each with the given number of
// secrets. On error nothing is left running.
func Start(ctx context.Context, tenants, secrets int, options ...Option) (_ *Server, err error) {
	bao, err := Binary()
	if err != nil {
		return nil, err
	}
	// Not TMPDIR's caller-owned directory: user postgres must be able to reach it.
	dir, err := os.MkdirTemp("", "steamer-perf-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, tokenType: "service"}
	for _, option := range options {
		option(s)
	}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	if s.keys, err = newSigner(); err != nil {
		return nil, err
	}
	pg, url, err := postgres(ctx, dir, "unused")
	if err != nil {
		return nil, err
	}
	s.procs = append(s.procs, pg)
	if err := s.startBao(ctx, bao, url); err != nil {
		return nil, fmt.Errorf("OpenBao: %w", err)
	}
	return s, s.seed(ctx, tenants, secrets)
}

// Stop ends both processes and removes their files.
func (s *Server) Stop() {
	for i := len(s.procs) - 1; i >= 0; i-- {
		s.procs[i].stop()
	}
	_ = os.RemoveAll(s.dir)
}

func (s *Server) startBao(ctx context.Context, bao, storage string) error {
	api, err := freePort()
	if err != nil {
		return err
	}
	cluster, err := freePort()
	if err != nil {
		return err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", api)
	pub, err := s.keys.publicPEM()
	if err != nil {
		return err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	keyFile, configFile := filepath.Join(s.dir, "unseal.key"), filepath.Join(s.dir, "config.json")
	config, err := serverConfig(addr, fmt.Sprintf("127.0.0.1:%d", cluster), keyFile, pub)
	if err := errors.Join(err, os.WriteFile(keyFile, key, 0o600), os.WriteFile(configFile, config, 0o600)); err != nil {
		return err
	}
	cmd := exec.Command(bao, "server", "-config="+configFile) // #nosec G204 -- the developer names the program
	cmd.Env = append(os.Environ(), "BAO_PG_CONNECTION_URL="+storage)
	p, err := start(s.dir, "bao", cmd)
	if err != nil {
		return err
	}
	s.procs = append(s.procs, p)
	s.Fixture = &fixture.Fixture{Version: fixture.Version, Target: "http://" + addr}
	jwt, err := s.keys.sign(map[string]any{"sub": "admin"})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return p.until(ctx, func(ctx context.Context) error {
		var login struct {
			Auth struct {
				Token string `json:"client_token"`
			} `json:"auth"`
		}
		err := s.call(ctx, "auth/admin_jwt/login", object{"role": "admin", "jwt": jwt}, &login)
		s.token = login.Auth.Token
		return err
	})
}

// seed makes the tenants one after the other, in the order Rails does: namespaces, mount, auth
// method, policy, role, secrets.
func (s *Server) seed(ctx context.Context, tenants, secrets int) error {
	pub, err := s.keys.publicPEM()
	if err != nil {
		return err
	}
	if err := s.call(ctx, "sys/namespaces/group_1", object{}, nil); err != nil {
		return err
	}
	for i := range tenants {
		project := fmt.Sprintf("project_%d", i+1)
		ns := "group_1/" + project
		claims := map[string]any{"sub": "project:" + project, "project_id": project, "secrets_manager_scope": "pipeline"}
		jwt, err := s.keys.sign(claims)
		if err != nil {
			return err
		}
		t := fixture.Tenant{
			Name: ns, SecretPath: ns + "/secrets/kv/data/explicit", AuthPath: ns + "/auth/pipeline_jwt/login",
			Role: "all_pipelines", JWT: jwt,
		}
		steps := []struct {
			path string
			body object
		}{
			{"group_1/sys/namespaces/" + project, object{}},
			{ns + "/sys/mounts/secrets/kv", object{"type": "kv-v2"}},
			{ns + "/sys/auth/pipeline_jwt", object{"type": "jwt"}},
			{ns + "/auth/pipeline_jwt/config", object{
				"bound_issuer": issuer, "jwt_validation_pubkeys": []string{pub}, "jwt_supported_algs": []string{"ES256"},
			}},
			{ns + "/sys/policies/acl/pipelines", object{
				"policy": `path "secrets/kv/data/explicit/SECRET_*" { capabilities = ["read"] }`,
			}},
			{ns + "/auth/pipeline_jwt/role/all_pipelines", object{
				"role_type": "jwt", "user_claim": "project_id", "bound_audiences": []string{audience},
				"bound_claims":   object{"project_id": project, "secrets_manager_scope": "pipeline"},
				"token_policies": []string{"pipelines", "pipelines/global"}, "token_type": s.tokenType, "token_ttl": "15m",
			}},
		}
		for n := range secrets {
			name := fmt.Sprintf("SECRET_%d", n+1)
			value := Value(ns, name)
			steps = append(steps, struct {
				path string
				body object
			}{t.SecretPath + "/" + name, object{"data": object{"value": value}}})
			t.Secrets = append(t.Secrets, fixture.Secret{Name: name, SHA256: sha256.Sum256([]byte(value))})
		}
		for _, step := range steps {
			if err := s.settle(ctx, step.path, step.body); err != nil {
				return err
			}
		}
		s.Fixture.Tenants = append(s.Fixture.Tenants, t)
	}
	return nil
}

// Value is the value of a seeded secret; it has the characters that JSON escapes.
func Value(tenant, name string) string { return "value of <" + tenant + "> \"" + name + "\"\nµ" }

// settle repeats a call while the KV mount upgrades itself to version 2, which takes a moment after
// mounting.
func (s *Server) settle(ctx context.Context, path string, body object) error {
	return s.procs[len(s.procs)-1].until(ctx, func(ctx context.Context) error { return s.call(ctx, path, body, nil) })
}

// Write stores another value for a seeded secret.
func (s *Server) Write(ctx context.Context, tenant, secret int, value string) error {
	t := s.Fixture.Tenants[tenant]
	return s.settle(ctx, t.SecretPath+"/"+t.Secrets[secret].Name, object{"data": object{"value": value}})
}

// Leases counts the login leases of a tenant's jobs.
func (s *Server) Leases(ctx context.Context, tenant int) (int, error) {
	var answer struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	path := s.Fixture.Tenants[tenant].Name + "/sys/leases/lookup/auth/pipeline_jwt/login/?list=true"
	err := s.request(ctx, http.MethodGet, path, nil, &answer)
	if errors.Is(err, errNotFound) {
		err = nil
	}
	return len(answer.Data.Keys), err
}

// errNotFound is a status 404, which is how OpenBao lists nothing.
var errNotFound = errors.New("not found")

func (s *Server) call(ctx context.Context, path string, body object, out any) error {
	return s.request(ctx, http.MethodPost, path, body, out)
}

func (s *Server) request(ctx context.Context, method, path string, body object, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Fixture.Target+"/v1/"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	if s.token != "" {
		req.Header.Set("X-Vault-Token", s.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s %s: %w: %s", method, path, errNotFound, answer)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
