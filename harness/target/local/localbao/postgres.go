package localbao

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/loopback"
	"gitlab.com/steamer/steamer/harness/secret"
)

// EnvPostgres names a directory with initdb and postgres; it comes before PATH
// and Debian's /usr/lib/postgresql/*/bin.
const EnvPostgres = "STEAMER_PG_BIN"

// database is a private PostgreSQL server on a loopback port.
type database struct {
	process  *process
	bin      string // directory of its programs
	dir      string
	port     int
	secret   string
	settings []string // name=value
}

// startPostgres makes a cluster in a directory of its own under parent and serves it on a free
// loopback port, with a random password and further settings (name=value). Durability is off:
// nothing outlives the test.
func startPostgres(ctx context.Context, parent string, settings ...string) (*database, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "steamer-pg-")
	if err != nil {
		return nil, fmt.Errorf("making PostgreSQL's directory: %w", err)
	}
	db := &database{bin: bin, dir: dir, secret: randomHex(16)}
	secret.Learn(db.secret)
	if err = db.create(ctx, settings); err == nil {
		err = db.start(ctx)
	}
	if err != nil {
		db.Stop()
		return nil, err
	}
	return db, nil
}

// create makes the cluster's files and chooses its port.
func (d *database) create(ctx context.Context, settings []string) error {
	attr, err := unprivileged(d.dir)
	if err != nil {
		return err
	}
	// initdb takes a password only from a file (or a terminal); it lives for the call.
	pwfile := filepath.Join(d.dir, "password")
	if err := ownFile(d.dir, "password", d.secret+"\n"); err != nil {
		return err
	}
	defer func() { _ = os.Remove(pwfile) }()
	initdb := exec.CommandContext(ctx, filepath.Join(d.bin, "initdb"), "-D", d.data(), "-U", "openbao",
		"-E", "UTF8", "--locale=C", "--no-sync", "--auth=scram-sha-256", "--pwfile="+pwfile)
	initdb.Env, initdb.Dir, initdb.SysProcAttr = environ(), d.dir, attr
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if d.port, err = loopback.Ports(1); err != nil {
		return err
	}
	d.settings = append([]string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=50", "fsync=off",
		"synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB",
	}, settings...)
	return nil
}

// data is the directory of the cluster's files.
func (d *database) data() string { return filepath.Join(d.dir, "data") }

// start serves the cluster, again where it was stopped.
func (d *database) start(ctx context.Context) (err error) {
	args := []string{"-D", d.data(), "-p", strconv.Itoa(d.port)}
	for _, setting := range d.settings {
		args = append(args, "-c", setting)
	}
	server := exec.Command(filepath.Join(d.bin, "postgres"), args...)
	server.Env, server.Dir = environ(), d.dir
	server.SysProcAttr, err = unprivileged(d.dir)
	if err != nil {
		return err
	}
	// SIGQUIT is PostgreSQL's immediate shutdown: it takes the workers along.
	if d.process, err = startProcess("postgres", server, syscall.SIGQUIT, syscall.SIGQUIT); err != nil {
		return err
	}
	return d.process.until(ctx, "PostgreSQL answered", func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, d.URL())
		if err != nil {
			return errors.New("no connection yet")
		}
		return conn.Close(ctx)
	})
}

// ownFile writes a file that only the user can read as whom programs of a directory run.
func ownFile(dir, name, content string) error {
	attr, err := unprivileged(dir)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, name)
	if err = os.WriteFile(file, []byte(content), 0o600); err == nil && attr.Credential != nil {
		err = os.Chown(file, int(attr.Credential.Uid), int(attr.Credential.Gid))
	}
	if err != nil {
		return fmt.Errorf("file of PostgreSQL: %w", err)
	}
	return nil
}

// URL is the connection URL. It holds the password: never print it.
func (d *database) URL() string {
	u := url.URL{
		Scheme: "postgres", Host: "127.0.0.1:" + strconv.Itoa(d.port), Path: "/postgres",
		User: url.UserPassword("openbao", d.secret), RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Stop ends the server and removes its directory.
func (d *database) Stop() {
	if d.process != nil {
		d.process.Stop()
	}
	_ = os.RemoveAll(d.dir)
}

// unprivileged returns attributes that run a child as user postgres when we are
// root, because PostgreSQL refuses to run as root, and gives that user dir.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, exit.Environmentf("user postgres", "apt-get install postgresql, or run the tests as an ordinary user",
			"PostgreSQL does not run as root and there is no user to run it as: %w", err)
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, fmt.Errorf("handing %s to user postgres: %w", dir, err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// postgresBin finds the directory with the server's programs, newest first.
func postgresBin() (string, error) {
	dirs := []string{os.Getenv(EnvPostgres)}
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is constant and well formed
	sort.Slice(debian, func(i, j int) bool { return version(debian[i]) > version(debian[j]) })
	for _, dir := range append(dirs, debian...) {
		if dir == "" {
			continue
		}
		if initdb, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb")); err == nil {
			return filepath.Dir(initdb), nil // its other programs are there, too
		}
	}
	return "", exit.Environmentf("PostgreSQL", "apt-get install postgresql, or set "+EnvPostgres+
		" to the directory that holds initdb",
		"no initdb in $%s, PATH or /usr/lib/postgresql/*/bin", EnvPostgres)
}

// version reads the major version out of Debian's directory layout.
func version(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}
