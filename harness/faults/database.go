package faults

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gitlab.com/steamer/steamer/harness/faults/pgproxy"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/wait"
)

// cutCommits is how many commits a fault cuts, and cutTime bounds how long that may take.
const (
	cutCommits = 8
	cutTime    = 20 * time.Second
)

// sqlTime bounds what is asked of PostgreSQL.
const sqlTime = 30 * time.Second

// confirmed is a receipt: that all of what was counted is above 0.
func confirmed(counts ...int) string {
	if slices.Min(counts) > 0 {
		return history.Confirmed
	}
	return history.Inconclusive
}

func (n *nemesis) commitBefore(ctx context.Context, victim *node, _ Step) (string, error) {
	return n.cutCommit(ctx, victim, pgproxy.Before)
}

func (n *nemesis) commitAfter(ctx context.Context, victim *node, _ Step) (string, error) {
	return n.cutCommit(ctx, victim, pgproxy.After)
}

func (n *nemesis) cutCommit(ctx context.Context, victim *node, at pgproxy.Point) (string, error) {
	limited, cancel := context.WithTimeout(ctx, cutTime)
	defer cancel()
	cut := victim.db.CutCommits(limited, at, cutCommits)
	return confirmed(cut), ctx.Err()
}

// dbLate is loseWay until the other node leads, with access that is revoked there meanwhile, and
// requests that were sent to the node after that.
func (n *nemesis) dbLate(ctx context.Context, victim *node, s Step) (string, error) {
	n.grantLate(ctx, victim)
	defer n.waiting.Wait() // after the connections are reset
	held, before := n.held(), victim.db.Counts().Lost
	victim.db.Lose(true)
	defer victim.db.Lose(false)
	err := n.takenOver(ctx, held)
	if err == nil {
		n.useLate(ctx, victim)
		err = wait.Pause(ctx, time.Duration(s.Length))
	}
	return confirmed(int(victim.db.Counts().Lost - before)), err
}

// sql gives what connects to PostgreSQL beside the nodes a connection.
func (n *nemesis) sql(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, sqlTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, n.server.DatabaseURL())
	if err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	return errors.Join(do(ctx, conn), conn.Close(ctx))
}

// pgTerminate has PostgreSQL end the node's connections, and reads that they are gone.
func (n *nemesis) pgTerminate(ctx context.Context, victim *node, _ Step) (receipt string, err error) {
	err = n.sql(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		receipt, err = terminate(ctx, conn, victim.db.Ports())
		return err
	})
	return receipt, err
}

func terminate(ctx context.Context, conn *pgx.Conn, ports []int) (string, error) {
	rows, err := conn.Query(ctx, "SELECT pid FROM pg_stat_activity WHERE client_port = ANY($1)", ports)
	if err != nil {
		return "", err
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return "", err
	}
	var ended int
	if err := conn.QueryRow(ctx, "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM unnest($1::int[]) AS pid",
		pids).Scan(&ended); err != nil {
		return "", err
	}
	_, err = wait.Until(ctx, wait.For{What: "the connections are gone", Interval: 20 * time.Millisecond},
		func(ctx context.Context) error {
			var left int
			err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)", pids).Scan(&left)
			if err == nil && left > 0 {
				err = fmt.Errorf("%d are left", left)
			}
			return err
		})
	return confirmed(ended), err
}

func (n *nemesis) pgRestart(ctx context.Context, _ *node, s Step) (string, error) {
	return n.restart(ctx, false, s)
}

func (n *nemesis) pgCrash(ctx context.Context, _ *node, s Step) (string, error) {
	return n.restart(ctx, true, s)
}

// restart ends PostgreSQL and starts it again. It says itself that it started later than before.
func (n *nemesis) restart(ctx context.Context, crash bool, s Step) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, recoverTime)
	defer cancel()
	var before, after time.Time
	started := func(at *time.Time) error {
		return n.sql(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			return conn.QueryRow(ctx, "SELECT pg_postmaster_start_time()").Scan(at)
		})
	}
	if err := started(&before); err != nil {
		return "", err
	}
	pid := n.server.DatabasePID()
	n.server.StopDatabase(crash)
	_, gone := proc.Read(pid)
	err := wait.Pause(ctx, time.Duration(s.Length))
	if err == nil {
		err = n.server.StartDatabase(ctx)
	}
	if err == nil {
		err = started(&after)
	}
	switch {
	case err != nil:
		return "", err
	case !errors.Is(gone, fs.ErrNotExist):
		return history.Inconclusive, nil
	case !after.After(before):
		return history.Mismatched, nil
	}
	return history.Confirmed, nil
}

// sqlStates of PostgreSQL's refusals.
const (
	readOnlyState = "25006"
	fullState     = "53300"
)

// refusals are how often PostgreSQL refused something to any node, as the proxies saw.
func (n *nemesis) refusals(state string) int {
	total := 0
	for _, node := range n.nodes {
		total += node.db.Counts().Errors[state]
	}
	return total
}

// pgReadOnly has PostgreSQL refuse writes, and counts that it did.
func (n *nemesis) pgReadOnly(ctx context.Context, _ *node, s Step) (receipt string, err error) {
	before := n.refusals(readOnlyState)
	if err := n.configure(ctx, "ALTER SYSTEM SET default_transaction_read_only = on"); err != nil {
		return "", err
	}
	err = wait.Pause(ctx, time.Duration(s.Length))
	receipt = confirmed(n.refusals(readOnlyState) - before)
	return receipt, errors.Join(err,
		n.configure(context.WithoutCancel(ctx), "ALTER SYSTEM RESET default_transaction_read_only"))
}

// pgFull takes every connection that PostgreSQL has, ends those of the node, takes them too, and
// counts that it refused the nodes new ones.
func (n *nemesis) pgFull(ctx context.Context, victim *node, s Step) (string, error) {
	before := n.refusals(fullState)
	var taken []*pgx.Conn
	defer func() {
		for _, conn := range taken {
			_ = conn.Close(context.WithoutCancel(ctx))
		}
	}()
	take := func() error {
		for {
			conn, err := pgx.Connect(ctx, n.server.DatabaseURL())
			var refused *pgconn.PgError
			switch {
			case errors.As(err, &refused) && refused.Code == fullState:
				return nil
			case err != nil:
				return fmt.Errorf("PostgreSQL: %w", err)
			}
			taken = append(taken, conn)
		}
	}
	if err := take(); err != nil || len(taken) == 0 {
		return history.Inconclusive, err
	}
	if _, err := terminate(ctx, taken[0], victim.db.Ports()); err != nil {
		return "", err
	}
	if err := take(); err != nil {
		return "", err
	}
	err := wait.Pause(ctx, time.Duration(s.Length))
	return confirmed(n.refusals(fullState) - before), err
}
