package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// pgPromote has a synchronous replica take PostgreSQL's place: nothing that was acknowledged is
// missing in it.
func (n *nemesis) pgPromote(ctx context.Context, _ *node, s Step) (string, error) {
	replica, err := n.server.Replicate(ctx, nil)
	if err != nil {
		return "", err
	}
	defer replica.Stop()
	if err := n.configure(ctx, "ALTER SYSTEM SET synchronous_standby_names = '*'"); err != nil {
		return "", err
	}
	if err = n.streams(ctx, "sync"); err == nil {
		err = wait.Pause(ctx, time.Duration(s.Length))
	}
	if err != nil { // without the replica, nothing would commit any more
		return "", errors.Join(err, n.configure(context.WithoutCancel(ctx), "ALTER SYSTEM RESET synchronous_standby_names"))
	}
	n.server.StopDatabase(true)
	promotion, err := n.promote(ctx, replica)
	return confirmed(promotion.Timeline - promotion.Before), err
}

// pgPromoteBehind has an asynchronous replica take PostgreSQL's place that lacks the tail of its
// log. The history says since when commits may be missing.
func (n *nemesis) pgPromoteBehind(ctx context.Context, _ *node, s Step) (string, error) {
	ways := &proxies{}
	defer ways.stop()
	replica, err := n.server.Replicate(ctx, ways.next)
	if err != nil {
		return "", err
	}
	defer replica.Stop()
	since := n.record.Now()
	if err := n.streams(ctx, "async"); err != nil {
		return "", err
	}
	way := ways.list[0]
	way.Refuse(true)
	way.Cut()
	if err := wait.Pause(ctx, time.Duration(s.Length)); err != nil {
		return "", err
	}
	n.server.StopDatabase(true)
	n.record.Event(history.Event{Kind: history.Lost, Since: since, Pod: history.NoPod})
	promotion, err := n.promote(ctx, replica)
	return confirmed(promotion.Timeline-promotion.Before, promotion.Lost), err
}

// configure changes a setting of PostgreSQL.
func (n *nemesis) configure(ctx context.Context, statement string) error {
	return n.sql(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, statement)
		if err == nil {
			_, err = conn.Exec(ctx, "SELECT pg_reload_conf()")
		}
		return err
	})
}

// streams waits until a replica of a state, "sync" or "async", has all that PostgreSQL has
// committed until now.
func (n *nemesis) streams(ctx context.Context, state string) error {
	return n.sql(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var position string
		if err := conn.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&position); err != nil {
			return err
		}
		_, err := wait.Until(ctx, wait.For{What: "the replica has what is committed", Interval: 20 * time.Millisecond},
			func(ctx context.Context) error {
				var there int
				err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_replication
					WHERE state = 'streaming' AND sync_state = $1 AND flush_lsn >= $2::pg_lsn`, state, position).Scan(&there)
				if err == nil && there == 0 {
					err = fmt.Errorf("none is %s and has %s", state, position)
				}
				return err
			})
		return err
	})
}

// promote promotes a replica and leads the nodes there, also where the run was interrupted. What
// came of it is in the history.
func (n *nemesis) promote(ctx context.Context, replica *localbao.Replica) (localbao.Promotion, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTime)
	defer cancel()
	address := replica.Address()
	promotion, err := replica.Promote(ctx)
	if err != nil {
		return promotion, err
	}
	for _, node := range n.nodes {
		node.db.Lead(address)
	}
	n.record.Event(history.Event{Kind: history.Log, Pod: history.NoPod, Text: fmt.Sprintf(
		"the replica of PostgreSQL had the log up to %s and began timeline %d; it lacks %d commits",
		promotion.Position, promotion.Timeline, promotion.Lost)})
	return promotion, nil
}
