package local

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/target"
)

// poolEvery is how often PostgreSQL is asked for its connections.
const poolEvery = 250 * time.Millisecond

// activity counts the busy connections of others. A connection that waits inside a transaction is
// as taken as one that runs.
const activity = `SELECT count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity
	WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`

// totals are counters of the whole database; our own connection adds one session and a few
// transactions.
const totals = `SELECT sessions, xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`

// watchPool samples the connections until ctx ends.
func (t *Target) watchPool(ctx context.Context) (target.PoolUse, error) {
	use := target.PoolUse{Limit: t.pool}
	background := context.WithoutCancel(ctx)
	conn, err := pgx.Connect(background, t.server.DatabaseURL())
	if err != nil {
		return use, err
	}
	defer func() { _ = conn.Close(background) }()
	read := func() (sessions, transactions int64, err error) {
		err = conn.QueryRow(background, totals).Scan(&sessions, &transactions)
		return sessions, transactions, err
	}
	sessions, transactions, err := read()
	if err != nil {
		return use, err
	}
	busy, full := 0, 0
	ticker := time.NewTicker(poolEvery)
	defer ticker.Stop()
	for more := true; more; { // once in any case
		n := 0
		if err := conn.QueryRow(background, activity).Scan(&n); err != nil {
			return use, err
		}
		use.Samples++
		busy += n
		if n >= t.pool {
			full++
		}
		select {
		case <-ctx.Done():
			more = false
		case <-ticker.C:
		}
	}
	use.Busy, use.FullShare = float64(busy)/float64(use.Samples), float64(full)/float64(use.Samples)
	after, ended, err := read()
	use.Opened, use.Transactions = after-sessions, ended-transactions
	return use, err
}

// DatabaseMiB is the size of OpenBao's tables with their indexes.
func (t *Target) DatabaseMiB(ctx context.Context) (float64, error) {
	conn, err := pgx.Connect(ctx, t.server.DatabaseURL())
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var bytes int64
	err = conn.QueryRow(ctx,
		"SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_stat_user_tables").Scan(&bytes)
	return float64(bytes) / (1 << 20), err
}
