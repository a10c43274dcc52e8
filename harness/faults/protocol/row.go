package protocol

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/wait"
)

// When an attempt was made.
const (
	before    = "before"
	disturbed = "disturbed"
	meanwhile = "meanwhile"
	retry     = "retry"
	after     = "afterwards"
)

// worker tries rows on a server of its own.
type worker struct {
	*runner
	server backend
}

func (w *worker) close() {
	if w.server != nil {
		w.server.close()
		w.server = nil
	}
}

// try tries a row of a case. Its error ends the run.
func (w *worker) try(ctx context.Context, c planned, row Row, kill time.Duration) error {
	if w.server == nil {
		var err error
		if w.server, err = w.open(ctx); err != nil {
			return err
		}
	}
	row.Protocol, row.Case = c.protocol.ID, c.of.ID
	began := time.Now()
	tenant, err := w.tenant(c.protocol)
	if err != nil {
		return err
	}
	t := &trial{rails: tenant, of: c.of, server: w.server, models: []*model{newModel()}, row: &row, after: kill}
	err = t.run(ctx)
	row.Seconds = time.Since(began).Seconds()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		row.Outcome, row.Reason = NotJudged, err.Error()
		if errors.Is(err, errGone) {
			row.Outcome = serverLost
		}
	}
	version := w.server.about().version
	if row.Outcome == serverLost {
		w.close() // the next row begins with fresh processes
	}
	w.done(row, version)
	return nil
}

// tenant is GitLab for a new project in a group of its own.
func (w *worker) tenant(p *Protocol) (*rails, error) {
	recipe, err := p.recipe()
	if err != nil {
		return nil, err
	}
	n := int(w.tenants.Add(1))
	t, err := recipe.Place(gitlab.Tenant{Org: 1, Group: 100 + n, Project: 100_000 + n, User: 200_000 + n})
	return &rails{
		protocol: p, recipe: recipe, about: w.server.about(),
		seed: strconv.FormatUint(w.Seed, 10), tenant: t,
	}, err
}

// trial is a row that is tried.
type trial struct {
	*rails
	of     *Case
	server backend
	// models are those that explain what may be read: one for each order of operations that
	// overlapped, the order in which they were asked for first.
	models []*model
	row    *Row
	after  time.Duration // when a kill follows the request
}

// run does what the case says, and judges what each reader gets then.
func (t *trial) run(ctx context.Context) error {
	for _, q := range t.of.Given {
		if a := t.ask(ctx, q, before, t.plain()); a.Result != opAcknowledged {
			return fmt.Errorf("before the fault, %s was %s: %s", q, a.Result, a.Message)
		}
	}
	open, err := t.disturb(ctx)
	if err != nil {
		return err
	}
	for _, q := range open {
		t.persist(ctx, q, retry)
	}
	for _, q := range t.of.Then {
		if t.ask(ctx, q, after, t.plain()).Result != opAcknowledged {
			t.persist(ctx, q, after)
		}
	}
	for i, a := range t.row.Attempts {
		t.row.size += len(a.Sent)
		if a.When == before {
			t.row.Attempts[i].Sent = []Sent{}
		}
	}
	seen, err := t.observe(ctx, t.models[0], t.server)
	if err == nil && t.row.Fault == leaderKilled {
		err = t.server.ready()
	}
	if err != nil {
		return err
	}
	for i, m := range t.models {
		outcome, wrong := m.judge(seen)
		if i == 0 || outcome == Converged {
			t.row.Outcome, t.row.Wrong = outcome, wrong
		}
	}
	return nil
}

func (t *trial) plain() *wire { return newWire(t.server, "", -1) }

// ask has Rails try an operation, and takes note of it.
func (t *trial) ask(ctx context.Context, q Request, when string, w *wire) Attempt {
	t.asked(q, t.models...)
	a := t.attempt(ctx, q, w)
	a.When = when
	t.row.Attempts = append(t.row.Attempts, a)
	return a
}

// asked has models take note of a request.
func (t *trial) asked(q Request, models ...*model) {
	for _, m := range models {
		m.ask(t.protocol.operation(q.Op).Asks, q)
	}
}

// persist has Rails repeat an operation as documented, until it is acknowledged.
func (t *trial) persist(ctx context.Context, q Request, when string) {
	o := t.protocol.operation(q.Op)
	for range o.Retries {
		_ = wait.Pause(ctx, time.Duration(o.RetryAfter))
		if ctx.Err() != nil || t.ask(ctx, q, when, t.plain()).Result == opAcknowledged {
			return
		}
	}
}

// disturb does the operation with the fault, and returns which requests of users are still open.
func (t *trial) disturb(ctx context.Context) (open []Request, err error) {
	w := newWire(t.server, t.row.Fault, t.row.step)
	w.after, w.kill = t.after, t.server.kill
	q := t.of.Do
	if t.row.Fault == stallEffect {
		open = t.stall(ctx, w)
	} else if a := t.ask(ctx, q, disturbed, w); a.Result != opAcknowledged {
		open = []Request{q}
	}
	t.row.Receipt = w.receipt
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case t.row.Fault == "" && len(open) > 0:
		return nil, fmt.Errorf("without a fault, %s was not acknowledged: %s", q,
			t.row.Attempts[len(t.row.Attempts)-1].Message)
	case t.row.Fault != "" && w.receipt == "":
		return nil, fmt.Errorf("the fault did not take effect: request %q was not made, or lost otherwise", t.row.Step)
	case t.row.Fault == leaderKilled:
		return open, t.server.recover(ctx)
	}
	return open, nil
}

// stall holds a request of the operation until what is done meanwhile has ended. Rails' lease ends
// by time alone, so that what is done meanwhile begins as if it had.
func (t *trial) stall(ctx context.Context, w *wire) (open []Request) {
	q := t.of.Do
	first, second := t.models[0], t.models[0].clone()
	t.models = []*model{first, second} // operations that overlap may take effect in either order
	t.asked(q, first)
	ended := make(chan Attempt, 1)
	go func() { ended <- t.attempt(ctx, q, w) }()
	others := t.of.Meanwhile
	if len(others) == 0 {
		others = []Request{q}
	}
	var between []Attempt
	select {
	case <-w.stalled:
		for _, other := range others {
			t.asked(other, first, second)
			a := t.attempt(ctx, other, t.plain())
			a.When = meanwhile
			between = append(between, a)
			if a.Result != opAcknowledged {
				open = append(open, other)
			}
		}
		t.asked(q, second)
		close(w.release)
	case a := <-ended:
		ended <- a
	}
	a := <-ended
	a.When = disturbed
	t.row.Attempts = append(append(t.row.Attempts, a), between...)
	answered := slices.ContainsFunc(between, func(b Attempt) bool {
		return b.Result == opAcknowledged &&
			b.Request == q.String()
	})
	if a.Result == opAcknowledged {
		open = slices.DeleteFunc(open, q.same)
	} else if !answered && !slices.ContainsFunc(open, q.same) {
		open = append(open, q)
	}
	return open
}
