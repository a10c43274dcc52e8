package run

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
)

// turns are the plan's topologies, those together that are installed at once.
func (r *Runner) turns() [][]string {
	if r.Platform.Layout().Together {
		return [][]string{r.Plan.Topologies}
	}
	var all [][]string
	for _, name := range r.Plan.Topologies {
		all = append(all, []string{name})
	}
	return all
}

// turn takes topologies from their install to their removal, side by side where there are several.
// An error of one keeps no other from its end.
func (r *Runner) turn(ctx context.Context, names []string) error {
	layout := r.Platform.Layout()
	if r.stage = nil; len(names)*layout.Shards > 1 {
		r.stage = scenario.NewStage()
	}
	var all []*topology
	for _, name := range names {
		t, err := r.open(name, len(all))
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	return each(len(all), func(i int) error {
		t := all[i]
		defer t.end()
		return r.leave(ctx, t, r.exercise(ctx, t))
	})
}

// each calls do with 0 to n-1, side by side, and joins the errors. A panic is the caller's, once
// all have ended, so that it can clean up.
func each(n int, do func(i int) error) error {
	if n == 1 {
		return do(0)
	}
	var group sync.WaitGroup
	failures, panics := make([]error, n), make([]any, n)
	for i := range n {
		group.Go(func() {
			defer func() { panics[i] = recover() }()
			failures[i] = do(i)
		})
	}
	group.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
	return errors.Join(failures...)
}

// onShards does a step on each installation of a topology, beside what else goes on on the
// cluster. What the chart is to blame for is a finding wherever it happens. Another failure is the
// topology's where it happens to the first installation; a further one that fails is left out, and
// removed.
func (r *Runner) onShards(ctx context.Context, t *topology, name string, do func(context.Context, *shard) error) error {
	failures := make([]error, len(t.shards))
	err := each(len(t.shards), func(i int) error {
		leave, err := r.stage.Enter(ctx, false)
		if err != nil {
			return err
		}
		defer leave()
		one := t.shards[i]
		failures[i] = r.steps.Do(ctx, t.out.Name, t.step(name, one), func(ctx context.Context) error { return do(ctx, one) })
		return nil
	})
	if err != nil {
		return err
	}
	var unfit target.UnfitError
	kept := t.shards[:0:0]
	for i, one := range t.shards {
		if errors.As(failures[i], &unfit) {
			return failures[i]
		}
		if failures[i] == nil {
			kept = append(kept, one)
		} else if i > 0 && ctx.Err() == nil {
			r.UI.Note(fmt.Sprintf("%sit takes no part: %v", t.label(one), failures[i]))
			if err := r.drop(ctx, t, one); err != nil {
				return err
			}
		}
	}
	if failures[0] != nil || ctx.Err() != nil {
		return errors.Join(failures[0], ctx.Err())
	}
	t.shards = kept
	return nil
}

// drop removes an installation, with what explains its failure saved, and waits until it is gone.
func (r *Runner) drop(ctx context.Context, t *topology, one *shard) error {
	_ = r.steps.Final(ctx, t.out.Name, t.step("diagnostics", one), func(ctx context.Context) error {
		return r.diagnose(ctx, t, one)
	})
	return errors.Join(one.remove.Now(ctx), one.AwaitRemoved(ctx))
}

// note takes over an outcome for the topologies that come after this one.
func (t *topology) note(one result.Scenario) {
	if one.Subject != scenario.SubjectServer {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ran[one.ID] = one.Status != result.Skipped; len(t.ran) == t.server {
		t.end()
	}
}

// elsewhere returns where this run tries a scenario of the server on the same OpenBao, or "". It
// waits until that is known. Recipes are those of the plan in every topology.
func (r *Runner) elsewhere(ctx context.Context, here *topology) func(scenario.Scenario) string {
	return func(s scenario.Scenario) string {
		if s.Subject != scenario.SubjectServer {
			return ""
		}
		for _, there := range r.opened {
			if there == here {
				break // those after it take over what it tries
			}
			select {
			case <-there.known:
			case <-ctx.Done():
				return ""
			}
			there.mu.Lock()
			ran := there.ran[s.ID]
			there.mu.Unlock()
			if ran && there.out.Images["openbao"] == here.out.Images["openbao"] &&
				there.out.Versions["openbao"] == here.out.Versions["openbao"] {
				return result.Elsewhere + there.out.Name
			}
		}
		return ""
	}
}
