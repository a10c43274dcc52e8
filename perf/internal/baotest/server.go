// Package baotest runs a real OpenBao with tenants as GitLab makes them, for this module's tests
// and benchmarks. It is OpenBao's development server, which keeps everything in memory: this
// module is about the client.
package baotest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// rootToken of the server, which listens on loopback and ends with the test.
const rootToken = "root"

// Server is a running OpenBao.
type Server struct {
	// Fixture lists the tenants with valid tokens. Its version is 2.
	Fixture *fixture.Fixture

	dir       string
	cmd       *exec.Cmd
	ended     chan error
	client    *http.Client
	keys      *signer
	publicKey string
	tls       bool
	tokenType string // that job logins give
}

// Option changes how a server is set up.
type Option func(*Server)

// BatchTokens makes job logins give batch tokens, of which OpenBao keeps nothing. With the service
// tokens of GitLab's role OpenBao 2.4.0 keeps a lease in memory for each inline fetch until it
// would end, so that a server driven hard for 20 minutes gets slower all the time.
func BatchTokens() Option { return func(s *Server) { s.tokenType = "batch" } }

// TLS makes the server listen with TLS. The fixture has its CA.
func TLS() Option { return func(s *Server) { s.tls = true } }

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
	s := &Server{tokenType: "service", ended: make(chan error, 1), client: &http.Client{Timeout: 20 * time.Second}}
	for _, option := range options {
		option(s)
	}
	bao, err := Binary()
	if err != nil {
		return nil, err
	}
	if s.keys, s.publicKey, err = newSigner(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "steamer-perf-"); err != nil {
		return nil, err
	}
	if err = s.run(ctx, bao); err == nil {
		err = s.seed(ctx, tenants, secrets)
	}
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("OpenBao: %w", err)
	}
	return s, nil
}

// run starts the server and waits until it answers.
func (s *Server) run(ctx context.Context, bao string) error {
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	args := []string{
		"server", "-dev", "-dev-no-store-token", "-dev-root-token-id=" + rootToken, "-dev-listen-address=" + addr,
		"-log-level=warn",
	}
	s.Fixture = &fixture.Fixture{Version: fixture.MaxVersion, Target: "http://" + addr}
	if s.tls {
		s.Fixture.Target = "https://" + addr
		args = append(args, "-dev-tls", "-dev-tls-cert-dir="+s.dir)
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(bao, args...) // #nosec G204 -- the developer names the program
	s.cmd.Stdout, s.cmd.Stderr = log, log
	endWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	go func() { s.ended <- s.cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return s.until(ctx, func() error {
		if s.tls {
			if err := s.trust(); err != nil {
				return err
			}
		}
		return s.request(ctx, http.MethodGet, "sys/health", nil, nil)
	})
}

// trust makes the client and the fixture trust the server's own CA.
func (s *Server) trust() error {
	pem, err := os.ReadFile(filepath.Join(s.dir, "vault-ca.pem"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return errors.New("the CA is not written yet")
	}
	s.Fixture.CA = string(pem)
	s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return nil
}

// Stop ends the server and removes its files.
func (s *Server) Stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill() // it keeps nothing
		<-s.ended
	}
	s.client.CloseIdleConnections()
	_ = os.RemoveAll(s.dir)
}

// until repeats what does not succeed yet. It reports the last error when ctx ends or the server
// does.
func (s *Server) until(ctx context.Context, do func() error) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		last := do()
		if last == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case err := <-s.ended:
			s.ended <- err
			output, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("ended early: %w; last: %w; output: %s", err, last, output[max(0, len(output)-2000):])
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", ctx.Err(), last)
		}
	}
}

// Value is the value of a seeded secret; it has the characters that JSON escapes.
func Value(tenant, name string) string { return "value of <" + tenant + "> \"" + name + "\"\nµ" }

// Write stores another value for a seeded secret.
func (s *Server) Write(ctx context.Context, tenant, secret int, value string) error {
	t := s.Fixture.Tenants[tenant]
	return s.post(ctx, t.SecretPath+"/"+t.Secrets[secret].Name, object{"data": object{"value": value}})
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

type object = map[string]any

// post repeats a call while the KV mount upgrades itself to version 2, which takes a moment after
// mounting.
func (s *Server) post(ctx context.Context, path string, body object) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return s.until(ctx, func() error { return s.request(ctx, http.MethodPost, path, body, nil) })
}

func (s *Server) request(ctx context.Context, method, path string, body object, out any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Fixture.Target+"/v1/"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", rootToken)
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s %s: %w: %s", method, path, errNotFound, answer)
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	case out == nil:
		return nil
	}
	return json.Unmarshal(answer, out)
}

func digest(value string) fixture.Digest { return sha256.Sum256([]byte(value)) }

// freeAddress is a loopback address below the kernel's ephemeral ports: one of those may become
// the local end of another test's connection before the server listens on it.
func freeAddress() (string, error) {
	for range 1000 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(10000)))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		return addr, l.Close()
	}
	return "", errors.New("no free port on the loopback address")
}
