package protocol

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// Options say what is tried.
type Options struct {
	Protocols []*Protocol
	// Only are patterns of rows, PROTOCOL/CASE/REQUEST/FAULT with the wildcards of path.Match; a
	// shorter one stands for all below it, and one after a hyphen leaves out. Nothing is all.
	Only     []string
	Parallel int    // servers at a time
	Seed     uint64 // of the values, and of the moments of kills
	Server   localbao.Options
	Progress func(string)
}

// mostParallel is how many servers are run at a time, at most.
const mostParallel = 16

// Validate refuses what cannot be tried, before anything is started.
func (o *Options) Validate() error {
	if o.Parallel < 1 || o.Parallel > mostParallel {
		return exit.Invalidf(fmt.Sprintf("--parallel %d", o.Parallel), fmt.Sprintf("use 1 to %d", mostParallel),
			"it is out of range")
	}
	for _, pattern := range o.Only {
		if err := o.known(strings.TrimPrefix(pattern, "-")); err != nil {
			return exit.Invalidf("--only "+pattern, "use PROTOCOL/CASE/REQUEST/FAULT, such as gitlab/delete/*/answer-lost", "%w",
				err)
		}
	}
	if len(o.chosen()) == 0 {
		return exit.Invalidf("--only "+strings.Join(o.Only, ","), "leave out less", "no case is left")
	}
	return nil
}

// known checks that a pattern can match a row.
func (o *Options) known(pattern string) error {
	parts := strings.Split(pattern, "/")
	if len(parts) > 4 {
		return fmt.Errorf("it has %d parts, at most 4 are possible", len(parts))
	}
	for _, part := range parts {
		if _, err := path.Match(part, ""); err != nil {
			return err
		}
	}
	if len(parts) == 4 && !slices.ContainsFunc(Faults(), func(f string) bool { return matches(parts[3], f) }) {
		return fmt.Errorf("no fault is like %q: they are %s", parts[3], strings.Join(Faults(), ", "))
	}
	for _, p := range o.Protocols {
		for _, c := range p.Cases {
			if matches(strings.Join(parts[:min(2, len(parts))], "/"), p.ID+"/"+c.ID) {
				return nil
			}
		}
	}
	return errors.New("no protocol and case is like that")
}

// matches reports whether a pattern is like an ID, or like the beginning of it.
func matches(pattern, id string) bool {
	parts, of := strings.Split(pattern, "/"), strings.Split(id, "/")
	for i := range min(len(parts), len(of)) {
		if ok, _ := path.Match(parts[i], of[i]); !ok {
			return false
		}
	}
	return true
}

// wants reports whether a row was chosen. Of a case, whose ID is shorter than patterns may be, it
// reports whether a row of it may have been.
func (o *Options) wants(id string) bool {
	chosen := !slices.ContainsFunc(o.Only, func(p string) bool { return !strings.HasPrefix(p, "-") })
	for _, pattern := range o.Only {
		without, leave := strings.CutPrefix(pattern, "-")
		if strings.Count(without, "/") > strings.Count(id, "/") && leave || !matches(without, id) {
			continue
		}
		if leave {
			return false
		}
		chosen = true
	}
	return chosen
}

// planned is a case of a protocol.
type planned struct {
	protocol *Protocol
	of       *Case
}

func (o *Options) chosen() []planned {
	var list []planned
	for _, p := range o.Protocols {
		for i := range p.Cases {
			if o.wants(p.ID + "/" + p.Cases[i].ID) {
				list = append(list, planned{p, &p.Cases[i]})
			}
		}
	}
	return list
}

// Run tries each case without a fault, then each chosen fault at each request that this showed. An
// interrupted run, or one that ended by an error, leaves the rows up to there, judged: the report
// is nil only where there is none.
func Run(ctx context.Context, o Options) (*Report, error) {
	return run(ctx, o, func(ctx context.Context) (backend, error) { return openServer(ctx, o.Server) })
}

// run is Run on servers that open starts.
func run(ctx context.Context, o Options, open func(context.Context) (backend, error)) (*Report, error) {
	r := &runner{Options: o, open: open, began: time.Now(), report: &Report{
		Record: result.NewRecord(Kind), Seed: o.Seed, Parts: []Part{}, Rows: []Row{}, Smallest: []Row{},
	}}
	cases := o.chosen()
	r.report.Planned = len(cases)
	err := r.all(ctx, len(cases), func(ctx context.Context, w *worker, i int) error {
		return w.try(ctx, cases[i], Row{}, 0)
	})
	if err == nil {
		rows := r.disturbances(cases)
		r.report.Planned += len(rows)
		err = r.all(ctx, len(rows), func(ctx context.Context, w *worker, i int) error {
			return w.try(ctx, rows[i].planned, rows[i].row, rows[i].after)
		})
	}
	if len(r.report.Rows) == 0 && err != nil {
		return nil, err
	}
	r.report.Partial = err != nil
	r.report.conclude(o.Protocols, len(o.Only) == 0 && err == nil)
	return r.report, err
}

// runner tries rows.
type runner struct {
	Options
	open    func(context.Context) (backend, error)
	began   time.Time
	tenants atomic.Int64
	mu      sync.Mutex // for what follows
	report  *Report
	stuck   int
}

// disturbance is a row that is to be tried.
type disturbance struct {
	planned
	row   Row
	after time.Duration // when a kill follows the request
}

// disturbances are the faults at each request that a case made without one.
func (r *runner) disturbances(cases []planned) []disturbance {
	var list []disturbance
	rng := rand.New(rand.NewPCG(r.Seed, 0x9e))
	for _, c := range cases {
		i := slices.IndexFunc(r.report.Rows, func(row Row) bool {
			return row.Protocol == c.protocol.ID &&
				row.Case == c.of.ID
		})
		if i < 0 || r.report.Rows[i].Outcome != Converged {
			continue // it says so itself
		}
		seen := map[int]bool{}
		for _, a := range r.report.Rows[i].Attempts {
			for _, s := range a.Sent {
				if a.When != disturbed || seen[s.number] {
					continue
				}
				seen[s.number] = true
				for _, fault := range Faults() {
					row := Row{Protocol: c.protocol.ID, Case: c.of.ID, Number: len(seen), Step: s.Step, Fault: fault, step: s.number}
					after := time.Duration(rng.Float64() * s.Seconds * float64(time.Second))
					if r.wants(row.ID()) && (len(c.of.Faults) == 0 || slices.Contains(c.of.Faults, fault)) {
						list = append(list, disturbance{c, row, after})
					}
				}
			}
		}
	}
	return list
}

// all has workers do n things.
func (r *runner) all(parent context.Context, n int, do func(context.Context, *worker, int) error) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	next := make(chan int)
	go func() {
		defer close(next)
		for i := range n {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	var workers sync.WaitGroup
	for range min(r.Parallel, n) {
		workers.Go(func() {
			w := &worker{runner: r}
			defer w.close()
			for i := range next {
				if err := do(ctx, w, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return nil
}

// done takes note of a row, and says how far it is.
func (r *runner) done(row Row, version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Rows = append(r.report.Rows, row)
	r.report.Server = version
	n := len(r.report.Rows)
	if row.stuck() || row.Outcome == NotJudged {
		r.stuck++
		r.Progress(fmt.Sprintf("%s: %s", row.ID(), row.what()))
	}
	if n%25 == 0 || n == r.report.Planned {
		r.Progress(fmt.Sprintf("%d of %d rows, %d did not converge, %.0f s", n, r.report.Planned, r.stuck,
			time.Since(r.began).Seconds()))
	}
}

// what is the outcome of the row, with the first reason.
func (r *Row) what() string {
	switch {
	case r.Reason != "":
		return r.Outcome + " (" + r.Reason + ")"
	case len(r.Wrong) > 0:
		return r.Outcome + " (" + r.Wrong[0].String() + ")"
	}
	return r.Outcome
}
