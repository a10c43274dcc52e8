package localbao

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/loopback"
)

// Replica is a streaming replica of a server's PostgreSQL. Call Stop in any case.
type Replica struct {
	server *Server
	db     *database
}

// Replicate starts a replica with the data and the settings of the server's PostgreSQL, and
// returns once it takes connections. It streams from the address that via returns for
// PostgreSQL's, a proxy; nil is directly.
func (s *Server) Replicate(ctx context.Context, via func(postgres string) (string, error)) (*Replica, error) {
	dir, err := os.MkdirTemp(s.options.Dir, "steamer-pg-")
	if err != nil {
		return nil, fmt.Errorf("making the replica's directory: %w", err)
	}
	r := &Replica{s, &database{bin: s.db.bin, dir: dir, secret: s.db.secret, settings: s.db.settings}}
	if err := r.copy(ctx, via); err != nil {
		r.Stop()
		return nil, fmt.Errorf("replica of PostgreSQL: %w", err)
	}
	return r, nil
}

// copy copies the data and starts.
func (r *Replica) copy(ctx context.Context, via func(string) (string, error)) error {
	from, err := r.server.db.through(via)
	if err != nil {
		return err
	}
	u, err := url.Parse(from)
	if err != nil {
		return errors.New("the URL of PostgreSQL cannot be read")
	}
	u.User = url.User(u.User.Username()) // the password is not for the command line
	if r.db.port, err = loopback.Ports(1); err != nil {
		return err
	}
	if _, err := r.db.tool(ctx, "pg_basebackup", "-D", r.db.data(), "-d", u.String(), "-R", "-X", "stream", "-c", "fast",
		"--no-sync"); err != nil {
		return err
	}
	return r.db.start(ctx)
}

// URL is the replica's connection URL. It holds the password: never print it.
func (r *Replica) URL() string { return r.db.URL() }

// Address is where nodes reach the replica once it is promoted, host:port.
func (r *Replica) Address() string {
	port := r.db.port
	if r.server.pool != nil {
		port = r.server.pool.port
	}
	return "127.0.0.1:" + strconv.Itoa(port)
}

// Stop ends the replica and removes its directory, unless it was promoted.
func (r *Replica) Stop() {
	if r.db != nil {
		r.db.Stop()
	}
}

// Promotion is what became of a replica.
type Promotion struct {
	Position string // up to where it had the log of the database before, as PostgreSQL writes it
	Before   int    // timeline that it followed
	Timeline int    // that it began
	Lost     int    // commits that the database before had written to its log after Position
}

// Promote makes the replica the server's PostgreSQL in place of the one before, which has to be
// stopped and is removed. It returns once the replica takes writes. Ways that lead to the old one
// have to be led to its Address.
func (r *Replica) Promote(ctx context.Context) (Promotion, error) {
	var p Promotion
	conn, err := pgx.Connect(ctx, r.db.URL())
	if err != nil {
		return p, errors.New("the replica of PostgreSQL does not answer")
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var promoted bool
	err = conn.QueryRow(ctx, "SELECT timeline_id, pg_promote() FROM pg_control_checkpoint()").Scan(&p.Before, &promoted)
	if err == nil && !promoted {
		err = errors.New("it is a replica still")
	}
	if err == nil {
		err = conn.QueryRow(ctx, `SELECT pg_last_wal_replay_lsn()::text,
			('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int`).Scan(&p.Position, &p.Timeline)
	}
	if err != nil {
		return p, fmt.Errorf("promoting the replica of PostgreSQL: %w", err)
	}
	old := r.server.db
	r.server.dbMu.Lock()
	r.server.db = r.db
	r.server.dbMu.Unlock()
	r.db = nil
	defer old.Stop()
	if r.server.pool != nil {
		if err := r.server.pool.lead(r.server.db.port); err != nil {
			return p, fmt.Errorf("PgBouncer: %w", err)
		}
	}
	p.Lost, err = old.commitsAfter(ctx, p)
	return p, err
}

// commitsAfter counts the commits in the log of a database that was stopped, from where a replica
// was promoted.
func (d *database) commitsAfter(ctx context.Context, p Promotion) (int, error) {
	out, err := d.tool(ctx, "pg_waldump", "-p", filepath.Join(d.data(), "pg_wal"), "-r", "Transaction", "-s", p.Position,
		"-t", strconv.Itoa(p.Before))
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) { // a log that was cut off ends with an error
		return 0, err
	}
	return bytes.Count(out, []byte("desc: COMMIT")), nil
}

// tool runs one of PostgreSQL's programs as the user that the files belong to.
func (d *database) tool(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, name), args...)
	cmd.Env, cmd.Dir = environ("PGPASSWORD="+d.secret), d.dir
	var err error
	if cmd.SysProcAttr, err = unprivileged(d.dir); err != nil {
		return nil, err
	}
	out, err := cmd.Output()
	var ended *exec.ExitError
	switch {
	case err != nil && ctx.Err() != nil: // it was killed
		err = ctx.Err()
	case errors.As(err, &ended):
		err = fmt.Errorf("%s: %w\n%s", name, err, ended.Stderr)
	}
	return out, err
}
