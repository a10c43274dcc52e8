package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local"
)

// onProcesses opens a target as spec says, with some tenants, and measures it; files go to a
// directory that begins with name. A measure that came to no verdict returns "".
func (s *State) onProcesses(ctx context.Context, output, name string, spec local.Spec, tenants int,
	measure func(t target.Target, ui *run.Text, dir string) (result.Verdict, error),
) (err error) {
	dir, err := measureDir(output, name)
	if err != nil {
		return err
	}
	if spec.Server.Binary, spec.Generator, err = s.programs(ctx, dir); err != nil {
		return err
	}
	ui := &run.Text{W: s.Stderr, Terminal: isTerminal(s.Stderr)}
	ui.Note("starting OpenBao and PostgreSQL")
	spec.Seeded = func(done, total int) { ui.Progress("provisioned tenants", done, total) }
	t, err := local.Open(ctx, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close(ctx)) }()
	if _, _, err := t.Grow(ctx, tenants); err != nil {
		return err
	}
	verdict, err := measure(t, ui, dir)
	if verdict == "" {
		return err
	}
	return judged(ctx, verdict, err)
}

// onTopologies installs each topology of a plan and measures it in place of the load; files go to
// directories that begin with name. A measure that came to no verdict returns "".
func (s *State) onTopologies(ctx context.Context, root string, p plan.Plan, name string, dryRun bool,
	measure func(ctx context.Context, d *run.Driver, ui *run.Text, dir string) (result.Verdict, error),
) error {
	p.Load = true // k6 is needed
	r, ui, err := s.prepare(ctx, root, p)
	if err != nil {
		return err
	}
	verdicts := map[string]result.Verdict{}
	r.Measure = func(ctx context.Context, d *run.Driver) error {
		dir, err := measureDir(p.Output, name+"-"+d.Name())
		if err != nil {
			return err
		}
		verdict, err := measure(ctx, d, ui, dir)
		if verdict != "" {
			verdicts[d.Name()] = verdict
		}
		return err
	}
	return doMeasured(ctx, s, r, p, dryRun, verdicts)
}

// doMeasured runs a plan whose topologies are measured in place of the load, or prints it, and
// concludes from their verdicts.
func doMeasured(ctx context.Context, state *State, r *run.Run, p plan.Plan, dryRun bool,
	verdicts map[string]result.Verdict,
) error {
	if err := state.place(ctx, r); err != nil {
		return err
	}
	if err := r.Preflight(ctx); err != nil {
		return err
	}
	if dryRun {
		return state.printPlan(p, nil)
	}
	if r.Elsewhere {
		return state.enter(ctx, r)
	}
	started := time.Now()
	outcome, dir, err := r.Do(ctx)
	if outcome == nil {
		return err
	}
	fmt.Fprintf(state.Stdout, "\nRun directory: %s (%s)\n", filepath.Clean(dir), time.Since(started).Round(time.Second))
	return judged(ctx, worst(verdicts, len(p.Topologies), outcome.Verdict), err)
}

// worst is the verdict over all topologies and the run itself; a topology that was not measured
// makes it INCONCLUSIVE.
func worst(measured map[string]result.Verdict, expected int, run result.Verdict) result.Verdict {
	all := append(slices.Collect(maps.Values(measured)), run)
	switch {
	case slices.Contains(all, result.Fail):
		return result.Fail
	case len(measured) < expected || slices.Contains(all, result.Inconclusive):
		return result.Inconclusive
	}
	return result.Pass
}
