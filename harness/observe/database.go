package observe

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// Database reads PostgreSQL's own statistics about once a second, and each statement's before and
// after. It is a Source.
type Database struct {
	Name string // of OpenBao's database
	// Session runs psql, connected to the database "postgres" as an administrator, until its
	// standard input ends. The statistics of all databases can be read from there, and what
	// Steamer does there does not count in OpenBao's.
	Session func(ctx context.Context, stdin io.Reader, stdout io.Writer) error
}

// reopenDelay is the pause before a session that broke is opened again, for example because the
// database restarted.
const reopenDelay = time.Second

// lastQuery bounds how long the statements after the load may take to read.
const lastQuery = 5 * time.Second

func (d Database) attach(ctx context.Context, o *Observer) {
	o.database = &databaseWatcher{from: d, stop: make(chan struct{}), done: make(chan struct{})}
	o.group.Go(func() {
		defer close(o.database.done)
		o.note(o.database.run(ctx))
	})
}

// databaseWatcher follows one database over sessions.
type databaseWatcher struct {
	from Database
	stop chan struct{} // closed: read the statements for the last time and end
	done chan struct{} // closed: it has ended
	once sync.Once

	out    result.DatabaseUse
	base   *tally
	at     time.Time
	before map[string]statement

	ownBefore, ownAfter float64 // ms that PostgreSQL spent on this watcher
}

// seconds is the time that PostgreSQL spent on being observed.
func (w *databaseWatcher) seconds() float64 { return max(0, w.ownAfter-w.ownBefore) / 1000 }

// finish asks for the last query; its answer is there when done is closed.
func (w *databaseWatcher) finish() { w.once.Do(func() { close(w.stop) }) }

func (w *databaseWatcher) run(ctx context.Context) error {
	var failed error
	for {
		err := w.session(ctx)
		select {
		case <-w.stop:
			if len(w.out.Samples) == 0 {
				failed = cmp.Or(err, failed)
			}
			if len(w.out.Samples) == 0 && failed != nil {
				return fmt.Errorf("PostgreSQL's statistics: %w", failed)
			}
			return nil
		default:
		}
		failed = err
		timer := time.NewTimer(reopenDelay)
		select {
		case <-timer.C:
		case <-w.stop:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// session is one psql from its start to the end of ctx, of the watcher, or of itself.
func (w *databaseWatcher) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, queries := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := w.from.Session(ctx, in, out)
		_ = in.CloseWithError(errors.New("psql has ended"))
		_ = out.CloseWithError(cmp.Or(err, io.ErrUnexpectedEOF))
		ended <- err
	}()
	go w.giveUp(ctx, cancel)
	lines := bufio.NewScanner(answers)
	lines.Buffer(nil, maxAnswer)
	err := w.watch(ctx, func(sql string, into any) error { return ask(queries, lines, sql, into) })
	_ = queries.Close() // psql ends with its standard input
	_, _ = io.Copy(io.Discard, answers)
	sessionErr := <-ended
	if err != nil && sessionErr != nil && !errors.Is(err, sessionErr) {
		return fmt.Errorf("%w: %w", err, sessionErr)
	}
	return err
}

// maxAnswer bounds one answer: the statements of a database, their texts cut by the query itself.
const maxAnswer = 8 << 20

// ask sends one query whose answer is one line of JSON.
func ask(queries io.Writer, answers *bufio.Scanner, sql string, into any) error {
	if _, err := io.WriteString(queries, strings.Join(strings.Fields(sql), " ")+";\n"); err != nil {
		return err
	}
	if !answers.Scan() {
		return cmp.Or(answers.Err(), io.ErrUnexpectedEOF)
	}
	if err := json.Unmarshal(answers.Bytes(), into); err != nil {
		return fmt.Errorf("psql answered what is not JSON: %w", err)
	}
	return nil
}

// watch asks until the watcher is stopped.
func (w *databaseWatcher) watch(ctx context.Context, query func(sql string, into any) error) error {
	if w.before == nil {
		before, err := w.statements(query)
		if err != nil {
			return err
		}
		w.before, w.out.Window.From = before, time.Now().UTC()
		if err := query(ownSQL, &w.ownBefore); err != nil {
			return err
		}
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		var now tally
		if err := query(fmt.Sprintf(tallySQL, literal(w.from.Name)), &now); err != nil {
			return err
		}
		w.fold(time.Now(), now)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-w.stop:
			after, err := w.statements(query)
			if err != nil {
				return err
			}
			w.out.Window.To = time.Now().UTC()
			w.out.Statements = difference(w.before, after)
			return query(ownSQL, &w.ownAfter)
		}
	}
}

// fold turns cumulative counters into rates. Counters that went back were reset: they only set the
// base.
func (w *databaseWatcher) fold(at time.Time, now tally) {
	last, elapsed := w.base, at.Sub(w.at).Seconds()
	w.base, w.at = &now, at
	if last == nil || elapsed <= 0 || now.Calls < last.Calls || now.Commits < last.Commits {
		return
	}
	rate := func(now, last float64) float64 { return max(0, now-last) / elapsed }
	w.out.Samples = append(w.out.Samples, result.DatabaseSample{
		At: at.UTC(), Statements: rate(now.Calls, last.Calls), Rows: rate(now.Rows, last.Rows),
		ExecMs:  rate(now.Exec, last.Exec),
		Commits: rate(now.Commits, last.Commits), Rollbacks: rate(now.Rollbacks, last.Rollbacks),
		Sessions:    rate(now.Sessions, last.Sessions),
		Connections: now.Connections, Running: now.Running, InTx: now.InTx,
	})
}

// giveUp cuts off a query to a database that hangs once someone waits for the end.
func (w *databaseWatcher) giveUp(ctx context.Context, cancel context.CancelFunc) {
	select {
	case <-w.stop:
	case <-ctx.Done():
		return
	}
	timer := time.NewTimer(lastQuery)
	defer timer.Stop()
	select {
	case <-timer.C:
		cancel()
	case <-ctx.Done():
	}
}
