package openbao

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/grafana/sobek"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/types"

	"gitlab.com/steamer/steamer/perf/fetch"
)

// ModeInline is GitLab Runner's way: one GET that carries the job's token as inline authentication.
const ModeInline = "inline"

// Client is what fixture.client returns to the script: one CI job's view of OpenBao, owned by one VU.
type Client struct {
	vu       *instance
	http     fetch.Client
	seed     uint64
	rng      *rand.Rand
	schedule schedule
	tagger   tagger
	ctx      context.Context //nolint:containedctx // only compared, to notice a new scenario
	scenario *lib.ScenarioState
	warned   map[fetch.Class]bool
}

// Result is what client.fetch returns to the script.
type Result struct {
	// OK says that the expected value came with status 200.
	OK bool `js:"ok"`
	// Wrong says that another value came with status 200.
	Wrong bool `js:"wrong"`
	// Status is the HTTP status, 0 if there was no answer.
	Status int `js:"status"`
	// Error is the class of failure, empty if there was none.
	Error string `js:"error"`
	// Duration is the time from the actual start to the end, in milliseconds.
	Duration float64 `js:"duration"`
}

// Client is fixture.client(options).
func (f *Fixture) Client(options sobek.Value) (*Client, error) {
	c := &Client{vu: f.instance, seed: 1, warned: map[fetch.Class]bool{}}
	c.http.Plan = f.plan
	if options == nil || sobek.IsUndefined(options) || sobek.IsNull(options) {
		return c, nil
	}
	o := options.ToObject(f.instance.vu.Runtime())
	for _, key := range o.Keys() {
		if err := c.set(key, o.Get(key)); err != nil {
			return nil, fmt.Errorf("openbao client option %s: %w", key, err)
		}
	}
	return c, nil
}

func (c *Client) set(key string, value sobek.Value) error {
	switch key {
	case "mode":
		if mode := value.String(); mode != ModeInline {
			return fmt.Errorf("%q is unknown; the modes are: %s", mode, ModeInline)
		}
	case "reuse":
		c.http.Reuse = value.ToBoolean()
	case "timeout":
		timeout, err := types.GetDurationValue(value.Export())
		if err != nil || timeout <= 0 {
			return fmt.Errorf("%q is not a duration above 0, such as \"60s\"", value.String())
		}
		c.http.Timeout = timeout
	case "seed":
		c.seed = uint64(value.ToInteger()) //nolint:gosec // any 64 bits make a seed
	default:
		return errors.New("unknown; the options are mode, reuse, timeout and seed")
	}
	return nil
}

// Fetch is client.fetch(): it reads one secret, chosen uniformly over tenants and then over the tenant's secrets by a
// generator that depends on the seed and the VU's number only, and emits the metrics. It throws when called outside
// an iteration; a failed fetch is a result, not an exception.
func (c *Client) Fetch() (*Result, error) {
	state := c.vu.vu.State()
	if state == nil {
		return nil, errors.New("fetch works in iterations only: move it out of the init context")
	}
	ctx := c.vu.vu.Context()
	c.activate(ctx, state)
	choice := c.http.Plan.Choose(c.rng)
	r := c.http.Fetch(ctx, choice)
	c.emit(state, r)
	c.explain(state, choice, r)
	return &Result{
		OK: r.Outcome == fetch.OK, Wrong: r.Outcome == fetch.Wrong, Status: r.Status, Error: string(r.Class),
		Duration: float64(r.Duration) / float64(time.Millisecond),
	}, nil
}

// activate takes over what the VU offers only once it runs.
func (c *Client) activate(ctx context.Context, state *lib.State) {
	if c.rng == nil {
		c.rng = rand.New(rand.NewPCG(c.seed, state.VUIDGlobal)) //nolint:gosec // choosing a secret to read is no secret
		c.http.Dial = state.Dialer.DialContext
		c.http.TLS = state.TLSConfig
	}
	if c.ctx != ctx {
		c.ctx, c.scenario = ctx, lib.GetScenarioState(ctx)
	}
}

func (c *Client) emit(state *lib.State, r fetch.Result) {
	current := state.Tags.GetCurrentValues()
	// The channel is open as long as an iteration runs, also after the run was cancelled; an interrupted fetch is
	// worth knowing.
	state.Samples <- &Observation{
		Result:   r,
		Intended: c.schedule.latency(c.scenario, state, r.Start, r.Start.Add(r.Duration)),
		Tags:     c.tagger.with(current.Tags, r),
		Metadata: current.Metadata,
		metrics:  c.vu.metrics,
	}
}

// explain logs the first failure of each class. It names no value and no token, and not the server's words either,
// since those may quote claims.
func (c *Client) explain(state *lib.State, choice fetch.Choice, r fetch.Result) {
	if r.Class == "" || c.warned[r.Class] {
		return
	}
	c.warned[r.Class] = true
	state.Logger.WithField("error", r.Class).WithField("status", r.Status).
		WithField("tenant", c.http.Plan.Name(choice)).
		Warn("openbao fetch failed; later failures of this kind in this VU are counted only")
}
