package localbao

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/loopback"
)

// EnvPgBouncer names the program pgbouncer; else it is looked for in PATH and /usr/sbin.
const EnvPgBouncer = "STEAMER_PGBOUNCER"

// PoolModes are the modes in which a PgBouncer can share connections. In transaction mode, the
// nodes prepare no statements (default_query_exec_mode=exec of pgx): PgBouncer before 1.21 cannot
// keep them.
func PoolModes() []string { return []string{"session", "transaction"} }

// pool is a PgBouncer before a database.
type pool struct {
	database // whose port, process and directory are PgBouncer's
	mode     string
}

// startPool starts one, with connections for more nodes than there are.
func startPool(ctx context.Context, before *database, mode string) (*pool, error) {
	program, err := pgBouncer()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(before.dir), "steamer-pool-")
	if err != nil {
		return nil, fmt.Errorf("making PgBouncer's directory: %w", err)
	}
	p := &pool{database{dir: dir, secret: before.secret}, mode}
	if p.port, err = loopback.Ports(1); err == nil {
		err = p.lead(before.port)
	}
	if err == nil {
		err = ownFile(dir, "users", fmt.Sprintf("%q %q\n", "openbao", before.secret))
	}
	cmd := exec.Command(program, filepath.Join(dir, "pgbouncer.ini"))
	cmd.Env, cmd.Dir = environ(), dir
	if err == nil {
		cmd.SysProcAttr, err = unprivileged(dir)
	}
	if err == nil {
		p.process, err = startProcess("pgbouncer", cmd, syscall.SIGTERM, syscall.SIGKILL)
	}
	if err == nil {
		err = p.process.until(ctx, "PgBouncer answered", func(ctx context.Context) error {
			_, err := p.transactions(ctx)
			return err
		})
	}
	if err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// lead writes the configuration, which leads to a PostgreSQL on a port.
func (p *pool) lead(port int) error {
	err := ownFile(p.dir, "pgbouncer.ini", fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
admin_users = openbao
pool_mode = %s
default_pool_size = 20
server_login_retry = 1
`, port, p.port, filepath.Join(p.dir, "users"), p.mode))
	if err == nil && p.process != nil {
		err = p.process.cmd.Process.Signal(syscall.SIGHUP)
	}
	return err
}

// transactions is how many PgBouncer has led through, by its own count.
func (p *pool) transactions(ctx context.Context) (int64, error) {
	config, err := pgx.ParseConfig(p.URL())
	if err != nil {
		return 0, errors.New("the URL of PgBouncer cannot be read")
	}
	config.Database, config.DefaultQueryExecMode = "pgbouncer", pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0, errors.New("no connection to PgBouncer yet")
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, "SHOW STATS_TOTALS")
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for rows.Next() {
		row := rows.RawValues() // as text: database, transactions and more
		n, err := strconv.ParseInt(string(row[1]), 10, 64)
		if err != nil {
			rows.Close()
			return 0, fmt.Errorf("PgBouncer's count of transactions: %w", err)
		}
		if string(row[0]) != "pgbouncer" {
			total += n
		}
	}
	return total, rows.Err()
}

// PoolTransactions is how many transactions the PgBouncer of Options.PgBouncer has led through.
func (s *Server) PoolTransactions(ctx context.Context) (int64, error) {
	return s.pool.transactions(ctx)
}

func pgBouncer() (string, error) {
	for _, name := range []string{os.Getenv(EnvPgBouncer), "pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return filepath.Abs(path)
		}
	}
	return "", exit.Environmentf("PgBouncer", "apt-get install pgbouncer, or set "+EnvPgBouncer,
		"no program pgbouncer in $%s, PATH or /usr/sbin", EnvPgBouncer)
}
