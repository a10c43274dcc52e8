// Package localbao runs a real OpenBao on a real PostgreSQL, both as processes on
// loopback, configured the way GitLab's chart configures them. Integration tests
// use it to check recipes, scenarios and the load extension without a cluster.
package localbao

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/harness/bao"
	"gitlab.com/steamer/steamer/harness/exit"
)

// EnvOpenBao names the OpenBao binary to run.
const EnvOpenBao = "STEAMER_BAO"

// DefaultStartTimeout bounds the whole start: initdb, PostgreSQL, OpenBao, self-initialisation.
const DefaultStartTimeout = 60 * time.Second

// Options change how Start works. The zero value is right for tests.
type Options struct {
	Binary  string        // OpenBao; "" takes $STEAMER_BAO, then bao on PATH
	Dir     string        // parent of the temporary directories; "" is the system's
	Timeout time.Duration // 0 is DefaultStartTimeout
	// Statements loads pg_stat_statements into PostgreSQL. Debian's package has it; elsewhere it may be one of its own.
	Statements bool
	Patch      []byte // JSON Patch (RFC 6902) of OpenBao's configuration, for tests of what a wrong one does; nil changes nothing
}

// Server is a running OpenBao with its database and its OIDC issuer.
type Server struct {
	Address   string     // base URL of the API, e.g. "http://127.0.0.1:41234"
	Issuer    string     // claim iss of the JWTs it trusts
	Audience  string     // claim aud of the JWTs it trusts
	Discovery *Discovery // publish the public keys here before the first login
	bao       *process
	db        *database
	dir       string
}

// Start runs everything and returns once one initialised, unsealed, active node
// answers. Call Stop in any case where the error is nil. The processes die when
// this process does, even by SIGKILL; only then do temporary directories stay.
func Start(ctx context.Context, o Options) (*Server, error) {
	binary, err := findBinary(o.Binary)
	if err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultStartTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	s := &Server{}
	if err := s.start(ctx, binary, o); err != nil {
		s.Stop()
		return nil, fmt.Errorf("local OpenBao: %w", err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, binary string, o Options) (err error) {
	if s.Discovery, err = StartDiscovery(); err != nil {
		return err
	}
	s.Issuer = s.Discovery.URL()
	var settings []string
	if o.Statements {
		settings = []string{"shared_preload_libraries=pg_stat_statements"}
	}
	if s.db, err = startPostgres(ctx, o.Dir, settings...); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp(o.Dir, "steamer-bao-"); err != nil {
		return fmt.Errorf("making OpenBao's directory: %w", err)
	}
	api, errAPI := freePort()
	cluster, errCluster := freePort()
	if err := errors.Join(errAPI, errCluster); err != nil {
		return err
	}
	address := fmt.Sprintf("127.0.0.1:%d", api)
	s.Address = "http://" + address
	s.Audience = s.Address
	file, err := s.writeConfig(address, fmt.Sprintf("127.0.0.1:%d", cluster), o.Patch)
	if err != nil {
		return err
	}
	cmd := exec.Command(binary, "server", "-config="+file)
	cmd.Dir = s.dir
	cmd.Env = environ("BAO_PG_CONNECTION_URL=" + s.db.URL())
	if s.bao, err = startProcess("openbao", cmd, syscall.SIGTERM, syscall.SIGKILL); err != nil {
		return err
	}
	client := bao.New(s.Address, nil)
	defer client.Close()
	return s.bao.until(ctx, "OpenBao was active", func(ctx context.Context) error {
		h, err := client.Health(ctx)
		if err == nil && !h.Active() {
			err = fmt.Errorf("health answers %d", h.Status)
		}
		return err
	})
}

func (s *Server) writeConfig(address, cluster string, patch []byte) (string, error) {
	key := make([]byte, 32) // AES-256-GCM
	_, _ = rand.Read(key)   // never fails, see crypto/rand
	keyFile := filepath.Join(s.dir, "unseal.key")
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		return "", fmt.Errorf("unseal key: %w", err)
	}
	raw, err := config(address, cluster, keyFile, s.AuditLog(), s.Issuer, s.Audience)
	if err == nil && patch != nil {
		raw, err = applyPatch(raw, patch)
	}
	if err != nil {
		return "", fmt.Errorf("configuration: %w", err)
	}
	file := filepath.Join(s.dir, "config.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return "", fmt.Errorf("configuration: %w", err)
	}
	return file, nil
}

// Publish makes OpenBao trust the given public keys (a JWKS document).
func (s *Server) Publish(jwks []byte) { s.Discovery.Publish(jwks) }

// DatabaseURL is PostgreSQL's connection URL. It holds a password: never print it.
func (s *Server) DatabaseURL() string { return s.db.URL() }

// PIDs returns the process IDs of OpenBao and PostgreSQL, for tests that signal them.
func (s *Server) PIDs() (openbao, postgres int) {
	return s.bao.cmd.Process.Pid, s.db.process.cmd.Process.Pid
}

// AuditLog is the file that the audit device writes. It grows without bound and
// goes away with the server.
func (s *Server) AuditLog() string { return filepath.Join(s.dir, "audit.log") }

// Log returns the end of OpenBao's log.
func (s *Server) Log() string { return s.bao.log.String() }

// Stop ends both processes and removes their directories. It may be called twice.
func (s *Server) Stop() {
	if s.bao != nil {
		s.bao.Stop()
	}
	if s.db != nil {
		s.db.Stop()
	}
	if s.Discovery != nil {
		s.Discovery.Stop()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func findBinary(binary string) (string, error) {
	if binary == "" {
		binary = os.Getenv(EnvOpenBao)
	}
	if binary == "" {
		binary = "bao"
	}
	path, err := exec.LookPath(binary)
	if err != nil {
		return "", exit.Environmentf("OpenBao binary", "run `make openbao`, or set "+EnvOpenBao+" to an OpenBao 2.4 or newer",
			"%w", err)
	}
	return filepath.Abs(path)
}

// freePort asks the kernel for a loopback port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
