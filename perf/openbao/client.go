package openbao

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.k6.io/k6/v2/lib"

	"gitlab.com/steamer/steamer/perf/fetch"
)

// Client is what fixture.client returns to the script. It acts as one CI job, or as Rails, and one
// VU owns it.
type Client struct {
	settings
	vu       *instance
	http     fetch.Client
	part     fetch.Part
	schedule schedule
	tagger   tagger
	ctx      context.Context //nolint:containedctx // only compared, to notice a new scenario
	scenario *lib.ScenarioState
	warned   map[warning]bool
}

// warning is a kind of failure. Only the first of each kind is logged.
type warning struct {
	kind  string
	step  fetch.Step
	class fetch.Class
}

// Result is what client.fetch returns to the script.
type Result struct {
	// OK is success, with the expected value.
	OK bool `js:"ok"`
	// Wrong is status 200 with a value other than the expected one.
	Wrong bool `js:"wrong"`
	// Kind is what was done: a mode, or an operation of Rails.
	Kind string `js:"kind"`
	// Status is the HTTP status of the last call, 0 if there was no answer.
	Status int `js:"status"`
	// Attempts is the number of requests, repetitions included.
	Attempts int `js:"attempts"`
	// Retries is the number of repetitions.
	Retries int `js:"retries"`
	// Error is the class of failure, empty if there was none.
	Error string `js:"error"`
	// Duration is the time from the actual start to the end, in milliseconds.
	Duration float64 `js:"duration"`
}

// Fetch is client.fetch(): one unit of work as the mode says, on a tenant and a secret chosen by a
// generator that depends on the seed and the VU's number only. It emits the metrics. It throws
// when called outside an iteration; a failure is a result, not an exception.
func (c *Client) Fetch() (*Result, error) {
	state := c.vu.vu.State()
	if state == nil {
		return nil, errors.New("fetch works in iterations only: move it out of the init context")
	}
	ctx := c.vu.vu.Context()
	if err := c.activate(ctx, state); err != nil {
		return nil, err
	}
	mode := fetch.Mode(c.modes.Draw(c.http.Rand))
	choice := c.http.Plan.Select(&c.selection, c.part, c.http.Rand)
	var r fetch.Result
	if mode == fetch.Rails {
		r = c.http.Operate(ctx, fetch.Operation(c.operations.Draw(c.http.Rand)), choice, c.part)
	} else {
		r = c.http.Fetch(ctx, mode, choice)
	}
	c.emit(state, r)
	c.explain(state, choice, r)
	return &Result{
		OK: r.Outcome == fetch.OK, Wrong: r.Outcome == fetch.Wrong, Kind: r.Kind, Status: r.Status, Error: string(r.Class),
		Attempts: r.Attempts, Retries: r.Retries, Duration: float64(r.Duration) / float64(time.Millisecond),
	}, nil
}

// activate takes over what the VU has only while it runs.
func (c *Client) activate(ctx context.Context, state *lib.State) error {
	if c.http.Rand == nil {
		if err := c.divide(state); err != nil {
			return err
		}
		c.http.Rand = rand.New(rand.NewPCG(c.seed,
			state.VUIDGlobal)) // #nosec G404 -- which secret is read is not confidential
		c.http.Dial = state.Dialer.DialContext
		c.http.TLS = state.TLSConfig
	}
	if c.ctx != ctx {
		c.ctx, c.scenario = ctx, lib.GetScenarioState(ctx)
	}
	return nil
}

// divide finds the tenants this process may use: all, or those of its execution segment where
// processes must not meet.
func (c *Client) divide(state *lib.State) (err error) {
	c.part = c.http.Plan.Whole()
	if segment := state.Options.ExecutionSegment; c.exclusive() && segment != nil {
		from, to, _ := strings.Cut(segment.String(), ":") // "1/3:2/3", see ExecutionSegment.String
		low, ok := new(big.Rat).SetString(from)
		high, ok2 := new(big.Rat).SetString(to)
		if !ok || !ok2 {
			return fmt.Errorf("execution segment %s is not of the form 1/3:2/3", segment)
		}
		c.part, err = c.http.Plan.PartOf(low, high)
	}
	return err
}

func (c *Client) emit(state *lib.State, r fetch.Result) {
	current := state.Tags.GetCurrentValues()
	// The channel is open as long as an iteration runs, also after the run was cancelled:
	// interrupted fetches are counted.
	state.Samples <- &Observation{
		Result:   r,
		Arrival:  c.schedule.arrival(c.scenario, state),
		ByKind:   c.mode == fetch.Mixed || c.mode == fetch.Rails,
		Tags:     c.tagger.with(current.Tags, r),
		Metadata: current.Metadata,
		metrics:  c.vu.metrics,
	}
}

// explain logs the first failure of each kind. It contains no value and no token. It does not
// contain the server's message either, which may quote claims.
func (c *Client) explain(state *lib.State, choice fetch.Choice, r fetch.Result) {
	w := warning{r.Kind, r.FailedStep, r.Class}
	if r.Class == "" || c.warned[w] {
		return
	}
	c.warned[w] = true
	entry := state.Logger.WithField("error", r.Class).WithField("status", r.Status).WithField("kind", r.Kind)
	if r.FailedStep != "" {
		entry = entry.WithField("step", r.FailedStep)
	}
	// Operate may have taken another tenant than the chosen one.
	if !slices.Contains(fetch.Operations(), r.Kind) {
		entry = entry.WithField("tenant", c.http.Plan.Name(choice))
	}
	entry.Warn("openbao fetch failed; later failures of this kind in this VU are counted only")
}
