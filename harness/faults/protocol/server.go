package protocol

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// takeoverLimit is how long a takeover may take before both nodes are started again, and then once
// more.
const takeoverLimit = 30 * time.Second

// errGone says that no node leads any more, also after a restart.
var errGone = errors.New("the server does not start again")

// backend is a server whose leader can be killed. As an http.RoundTripper it sends requests to the
// node that leads.
type backend interface {
	http.RoundTripper
	about() about
	kill()                         // ends the node that leads
	recover(context.Context) error // waits until another leads; errGone where none does any more
	ready() error                  // waits until the node that was killed is back; errGone where it is not
	close()
}

// about is what Rails knows of a server.
type about struct {
	issuer   *gitlab.Issuer
	audience string
	version  string
}

// server is two OpenBao on one PostgreSQL. Each request has a connection of its own.
type server struct {
	*localbao.Server
	known  about
	db     *pgx.Conn
	next   http.RoundTripper
	active atomic.Pointer[localbao.Node]
	back   sync.WaitGroup // the start of a node that was killed
	failed error          // of that start; valid after back
}

func openServer(ctx context.Context, o localbao.Options) (*server, error) {
	processes, err := localbao.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &server{Server: processes, next: openbao.Trusting(false, nil).Transport}
	err = s.open(ctx)
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *server) open(ctx context.Context) (err error) {
	if _, err = s.Join(ctx); err != nil {
		return err
	}
	if s.known.issuer, err = s.Trust(); err != nil {
		return err
	}
	if s.db, err = pgx.Connect(ctx, s.DatabaseURL()); err != nil {
		return err
	}
	s.active.Store(s.Nodes()[0])
	h, err := s.Nodes()[0].Health(ctx)
	s.known.audience, s.known.version = s.Audience, h.Version
	return err
}

func (s *server) about() about { return s.known }

func (s *server) close() {
	s.back.Wait()
	if s.db != nil {
		_ = s.db.Close(context.Background())
	}
	s.Stop()
}

// RoundTrip implements http.RoundTripper.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	to, err := url.Parse(s.active.Load().Address)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = to.Scheme, to.Host, ""
	return s.next.RoundTrip(r)
}

// kill ends the node that leads.
func (s *server) kill() { s.active.Load().Kill() }

// ready waits until the node that was killed last is back. Its error is errGone.
func (s *server) ready() error {
	s.back.Wait()
	if s.failed != nil {
		return fmt.Errorf("%w, the other node leads: %s", errGone, exit.FirstLine(s.failed.Error()))
	}
	return nil
}

// recover has the other node take over, and starts the one that was killed in the background. The
// lock of a process that is gone is taken from the database: a takeover then waits one second, not
// the fifteen until the lock ends, and finds the same. Its error is errGone if no node leads any
// more.
func (s *server) recover(ctx context.Context) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM openbao_ha_locks"); err != nil {
		return fmt.Errorf("freeing the lock of a process that is gone: %w", err)
	}
	killed := s.active.Load()
	if s.leads(ctx) == nil {
		s.back.Go(func() {
			limited, cancel := context.WithTimeout(ctx, takeoverLimit)
			defer cancel()
			s.failed = killed.Start(limited)
		})
		return nil
	}
	for _, n := range s.Nodes() { // as a supervisor does with what ended
		n.Stop()
		limited, cancel := context.WithTimeout(ctx, takeoverLimit)
		_ = n.Start(limited) // whether it leads is what counts
		cancel()
	}
	err := s.leads(ctx)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	reasons := []string{"no node leads, also after both were started again"}
	for i, n := range s.Nodes() {
		n.Stop()
		if c := complaint(n.Log()); c != "" {
			reasons = append(reasons, fmt.Sprintf("node %d: %s", i, c))
		}
	}
	return fmt.Errorf("%w: %s", errGone, strings.Join(reasons, "; "))
}

// leads waits until a node leads, and sends requests there.
func (s *server) leads(ctx context.Context) error {
	_, err := wait.Until(ctx, wait.For{
		What: "a node leads", Interval: 50 * time.Millisecond, Deadline: takeoverLimit, Each: 2 * time.Second,
	}, func(ctx context.Context) error {
		for _, n := range s.Nodes() {
			if h, err := n.Health(ctx); err == nil && h.Active() {
				s.active.Store(n)
				return nil
			}
		}
		return errors.New("none does")
	})
	return err
}

// complaint is the line of a log that says why a program does not serve: its panic, or its last
// error; "" for none.
func complaint(log string) string {
	last := ""
	for line := range strings.Lines(log) {
		if strings.Contains(line, "panic") {
			return strings.TrimSpace(line)
		}
		if strings.Contains(line, "[ERROR]") {
			last = strings.TrimSpace(line)
		}
	}
	return last
}
