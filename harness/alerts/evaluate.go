package alerts

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql"
)

const (
	// lookback is Prometheus' default: how old the last sample of a series may be.
	lookback = 5 * time.Minute
	// evaluationLimit bounds one evaluation. Recordings are short.
	evaluationLimit = time.Minute
	maxSamples      = 10_000_000
)

// Outcome is what a rule did over a recording.
type Outcome struct {
	Rule
	Held  time.Duration // the longest time without a break in which the expression held; 0 also for a single evaluation
	Holds bool          // at the last evaluation
	Fired bool          // the expression held for Rule.For without a break
	// Missing are the metrics of the expression that the recording never had.
	Missing []string
	Blind   bool // all are missing, so that the rule can say nothing
}

// Evaluate evaluates rules at each of the given times, in order, as Prometheus does at every
// interval.
func (r *Recording) Evaluate(ctx context.Context, rules []Rule, at []time.Time) ([]Outcome, error) {
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: maxSamples, Timeout: evaluationLimit, LookbackDelta: lookback,
		EnableAtModifier: true, EnableNegativeOffset: true, Parser: prometheus(),
	})
	defer func() { _ = engine.Close() }()
	out := make([]Outcome, 0, len(rules))
	for _, rule := range rules {
		o, err := r.evaluate(ctx, engine, rule, at)
		if err != nil {
			return nil, fmt.Errorf("alert %s: %w", rule.Alert, err)
		}
		out = append(out, o)
	}
	return out, nil
}

func (r *Recording) evaluate(ctx context.Context, engine *promql.Engine, rule Rule, at []time.Time) (Outcome, error) {
	o := Outcome{Rule: rule}
	names, err := metrics(rule.Expr)
	if err != nil {
		return o, err
	}
	for _, name := range names {
		if !r.Has(name) {
			o.Missing = append(o.Missing, name)
		}
	}
	o.Blind = len(o.Missing) == len(names)
	var since time.Time
	for _, now := range at {
		o.Holds, err = r.holds(ctx, engine, rule.Expr, now)
		switch {
		case err != nil:
			return o, err
		case !o.Holds:
			since = time.Time{}
			continue
		case since.IsZero():
			since = now
		}
		o.Held = max(o.Held, now.Sub(since))
		o.Fired = o.Fired || now.Sub(since) >= rule.For
	}
	return o, nil
}

// holds reports whether an expression has any result at a time.
func (r *Recording) holds(ctx context.Context, engine *promql.Engine, expr string, now time.Time) (bool, error) {
	query, err := engine.NewInstantQuery(ctx, r, nil, expr, now)
	if err != nil {
		return false, err
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return false, result.Err
	}
	vector, err := result.Vector()
	return len(vector) > 0, err
}
