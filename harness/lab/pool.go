package lab

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// PoolUse is how OpenBao used its connections to PostgreSQL while it was watched.
type PoolUse struct {
	Limit        int     `json:"limit"`        // the pool's size
	Busy         float64 `json:"busy"`         // mean of connections in a statement or a transaction
	FullShare    float64 `json:"fullShare"`    // share of the looks, 0 to 1, at which every connection of the pool was busy
	Looks        int     `json:"looks"`        // how often was looked
	Opened       int64   `json:"opened"`       // connections opened meanwhile
	Transactions int64   `json:"transactions"` // ended meanwhile, statements outside of one included
}

// poolLook is how often PostgreSQL is asked for its connections.
const poolLook = 250 * time.Millisecond

// activity counts the busy connections of others. A connection that waits inside a transaction is
// as taken as one that runs.
const activity = `SELECT count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity
	WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`

// totals are counters of the whole database; our own connection adds one session and a few
// transactions.
const totals = `SELECT sessions, xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`

// watchPool looks at the connections until ctx ends.
func (l *Lab) watchPool(ctx context.Context) (PoolUse, error) {
	use := PoolUse{Limit: l.Pool}
	background := context.WithoutCancel(ctx)
	conn, err := pgx.Connect(background, l.Server.DatabaseURL())
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
	ticker := time.NewTicker(poolLook)
	defer ticker.Stop()
	for ctx.Err() == nil {
		n := 0
		if err := conn.QueryRow(background, activity).Scan(&n); err != nil {
			return use, err
		}
		use.Looks++
		busy += n
		if n >= l.Pool {
			full++
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	use.Busy, use.FullShare = float64(busy)/float64(use.Looks), float64(full)/float64(use.Looks)
	after, ended, err := read()
	use.Opened, use.Transactions = after-sessions, ended-transactions
	return use, err
}
