// Package localbao starts a real OpenBao on a real PostgreSQL, both as processes on loopback,
// configured the way GitLab's chart configures them. Package local makes targets of them;
// integration tests also use them directly.
package localbao

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/secret"
)

// The variables that name the program to run.
const (
	EnvOpenBao = "STEAMER_BAO"
	EnvVault   = "STEAMER_VAULT"
)

// startTimeout bounds the whole start: initdb, PostgreSQL, OpenBao, self-initialisation.
const startTimeout = 60 * time.Second

// Options change how Start works. The zero value is right for tests.
type Options struct {
	// Kind is the program to run. Vault has no self-initialisation and no static seal: it is
	// initialised and unsealed over its API, with a key that only this process has.
	Kind   openbao.Kind
	Binary string // "" takes $STEAMER_BAO, then bao on PATH; of Vault $STEAMER_VAULT, then vault
	Dir    string // parent of the temporary directories; "" is the system's
	// Statements loads pg_stat_statements into PostgreSQL. Debian's package has it; elsewhere it
	// may be one of its own.
	Statements bool
	Postgres   []string // further settings of PostgreSQL, name=value
	Patch      []byte   // JSON Patch (RFC 6902) of OpenBao's configuration; nil changes nothing
	Env        []string // further environment of OpenBao, e.g. "GOMAXPROCS=1"
	TLS        bool     // serve the API over TLS, with a certificate made for the run; see Server.CA
	// Through returns the address, host:port, at which the next OpenBao shall reach the PostgreSQL
	// at the given one: a proxy; nil is directly. It is called once for each node.
	Through func(postgres string) (string, error)
	// PgBouncer is the mode, of PoolModes, of a PgBouncer between the nodes and PostgreSQL; "" is
	// none.
	PgBouncer string
	// Cluster returns the address, host:port, at which the other nodes shall reach the next
	// OpenBao, whose port for them is at the given one; nil is directly. It is called once for
	// each node.
	Cluster func(address string) (string, error)
	// Started is called with the process ID of each OpenBao as soon as it runs, e.g. to limit it;
	// nil does nothing.
	Started func(pid int) error
}

// Server is a running OpenBao with its database and its OIDC issuer.
type Server struct {
	Address   string // base URL of the API, e.g. "http://127.0.0.1:41234"
	Issuer    string // claim iss of the JWTs it trusts
	Audience  string // claim aud of the JWTs it trusts
	discovery *discovery
	CA        []byte // PEM of the certificate that the API presents; nil without Options.TLS
	nodes     []*Node
	dbMu      sync.Mutex
	db        *database    // is replaced by Promote, with dbMu held
	pool      *pool        // nil without Options.PgBouncer
	keys      openbao.Keys // of Vault
	binary    string
	options   Options
	dir       string
}

// Start runs everything and returns once one initialised, unsealed, active node
// answers. Call Stop in any case where the error is nil. The processes die when
// this process does, even by SIGKILL; only then do temporary directories stay.
func Start(ctx context.Context, o Options) (*Server, error) {
	binary, err := findBinary(o.Kind, o.Binary)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s := &Server{binary: binary, options: o}
	if err := s.start(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("local %s: %w", o.Kind.Title(), err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) (err error) {
	if s.discovery, err = startDiscovery(); err != nil {
		return err
	}
	s.Issuer = s.discovery.URL()
	settings := slices.Clone(s.options.Postgres)
	if s.options.Statements {
		settings = append(settings, "shared_preload_libraries=pg_stat_statements")
	}
	if s.db, err = startPostgres(ctx, s.options.Dir, settings...); err != nil {
		return err
	}
	if s.options.PgBouncer != "" {
		if s.pool, err = startPool(ctx, s.db, s.options.PgBouncer); err != nil {
			return err
		}
	}
	if s.dir, err = os.MkdirTemp(s.options.Dir, "steamer-bao-"); err != nil {
		return fmt.Errorf("making OpenBao's directory: %w", err)
	}
	if s.options.TLS {
		if s.CA, err = writeCertificate(s.dir); err != nil {
			return err
		}
	}
	if s.options.Kind == openbao.KindVault {
		if err := s.db.prepareVault(ctx); err != nil {
			return err
		}
	} else {
		key := make([]byte, 32) // AES-256-GCM
		_, _ = rand.Read(key)   // never fails, see crypto/rand
		secret.Learn(string(key))
		if err := os.WriteFile(s.keyFile(), key, 0o600); err != nil {
			return fmt.Errorf("unseal key: %w", err)
		}
	}
	node, err := s.newNode()
	if err != nil {
		return err
	}
	s.Address, s.Audience = node.Address, node.Address
	if err := node.launch(); err != nil {
		return err
	}
	if s.options.Kind == openbao.KindVault {
		if err := node.initialise(ctx); err != nil {
			return err
		}
	}
	return node.await(ctx, s.options.Kind.Title()+" was active", openbao.Health.Active)
}

func (s *Server) keyFile() string { return filepath.Join(s.dir, "unseal.key") }

// Trust makes an issuer whose tokens OpenBao trusts from now on, and those of no other.
func (s *Server) Trust() (*gitlab.Issuer, error) {
	issuer, err := gitlab.NewIssuer(s.Issuer, gitlab.RS256)
	if err != nil {
		return nil, err
	}
	if err := s.Publish(issuer); err != nil {
		return nil, err
	}
	return issuer, nil
}

// Publish has the server's issuer publish the keys of some, all with its URL, and no others.
// OpenBao fetches them when it meets a key that it does not know.
func (s *Server) Publish(issuers ...*gitlab.Issuer) error {
	jwks, err := gitlab.JWKS(issuers...)
	if err == nil {
		s.discovery.Publish(jwks)
	}
	return err
}

// DatabaseURL is PostgreSQL's connection URL. It holds a password: never print it.
func (s *Server) DatabaseURL() string {
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	return s.db.URL()
}

// AuditLog is the file that the audit device writes. It grows without bound and
// goes away with the server.
func (s *Server) AuditLog() string { return filepath.Join(s.dir, "audit.log") }

// Stop ends both processes and removes their directories. It may be called twice.
func (s *Server) Stop() {
	for _, node := range s.nodes {
		node.Stop()
	}
	if s.pool != nil {
		s.pool.Stop()
	}
	if s.db != nil {
		s.db.Stop()
	}
	if s.discovery != nil {
		s.discovery.Stop()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func findBinary(kind openbao.Kind, binary string) (string, error) {
	variable, program, build := EnvOpenBao, "bao", "run `make openbao`"
	least := "an OpenBao 2.4 or newer"
	if kind == openbao.KindVault {
		variable, program, build, least = EnvVault, "vault", "run `steamer images build vault-program`", "a Vault 1.13"
	}
	if binary == "" {
		binary = os.Getenv(variable)
	}
	if binary == "" {
		binary = program
	}
	path, err := exec.LookPath(binary)
	if err != nil {
		return "", exit.Environmentf(kind.Title()+" binary", build+", or set "+variable+" to "+least, "%w", err)
	}
	return filepath.Abs(path)
}
