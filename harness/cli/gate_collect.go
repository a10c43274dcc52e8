package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
)

// collect runs what the gate judges, with the evidence that is there already; stop says that only
// the plan was to be printed.
func (f *gateFlags) collect(ctx context.Context, root string, state *State, p plan.Plan, with *gate.Evidence,
	policy *gate.Policy, dryRun bool,
) (paths []string, dir string, stop bool, err error) {
	r, ui, err := state.prepare(ctx, root, p)
	if err != nil {
		return nil, "", false, err
	}
	if slices.Contains(policy.Required, gate.Load) {
		if from, to := r.Plan.Lengthen(); to > 0 {
			fmt.Fprintf(state.Stderr, "The load is measured for %s instead of the %s of profile %s: that long it takes to hold every objective.\n", to, from, r.Plan.Profile.Name)
		}
	}
	if with != nil {
		about, err := with.Chart()
		switch values := chart.DigestValues(r.Plan.Overrides); {
		case err != nil || about.Digest == "":
		case about.Digest != r.Plan.Chart.Info().Digest:
			err = exit.Invalidf("--with", "leave it out, or judge the chart that it is about",
				"it is about %s %s (%s), and the chart to judge is another (%s)",
				about.Name, about.Version, about.Digest, r.Plan.Chart.Info().Digest)
		case about.Values != values:
			err = exit.Invalidf("--with", "leave it out, or judge the chart with the values that it is about",
				"it is about the chart with other values than --values and --set lay over it (%q, %q)",
				about.Values, values)
		}
		for _, b := range with.Baselines {
			if name := r.Plan.Chart.Info().Name; err == nil && b.Doc.Chart != name {
				err = exit.Invalidf("--baseline "+b.Path, "use the one that was made for this chart",
					"it is of chart %q, and the chart to judge is %q", b.Doc.Chart, name)
			}
		}
		if err != nil {
			return nil, "", false, err
		}
	}
	if err := state.place(ctx, r); err != nil {
		return nil, "", false, err
	}
	if err := r.Preflight(ctx); err != nil {
		return nil, "", false, err
	}
	var comparison *gateComparison
	if policy.Uncompared == "" {
		if comparison, err = f.comparison(ctx, state, r, p); err != nil {
			return nil, "", false, err
		}
		policy.Asked = true
	}
	if dryRun {
		if comparison != nil {
			fmt.Fprintf(state.Stderr, "It would also be compared with %s.\n", comparison.on.Sides[0].Name)
		}
		p.Duration = r.Plan.Plan.Duration // which the gate may have lengthened
		return nil, "", true, state.printPlan(p, r.Plan.Outlook())
	}
	for _, line := range r.Plan.Outlook() {
		fmt.Fprintln(state.Stderr, line)
	}
	if r.Elsewhere {
		return nil, "", false, f.enter(ctx, state, r, comparison)
	}
	if dir, err = gateDir(p.Output, time.Now().UTC()); err != nil {
		return nil, "", false, err
	}
	work := gate.Work{
		Dir: dir, Steamer: buildVersion(), Note: func(what string) { fmt.Fprintf(state.Stderr, "▶ gate: %s\n", what) },
		Check: func(ctx context.Context) (*lint.Report, error) { return checkResolved(ctx, r.Plan) },
		Run:   state.runner(r, ui).Run,
	}
	if comparison != nil {
		quarantine, err := compare.ReadQuarantine(f.quarantine)
		if err != nil {
			return nil, "", false, err
		}
		work.Compare = func(ctx context.Context) (string, error) {
			path, err := comparison.do(ctx, state, dir, quarantine)
			if err != nil {
				policy.Uncompared = "it did not reach its end: " + strings.Join(strings.Fields(err.Error()), " ")
			}
			return path, err
		}
	}
	if f.mutants != "none" {
		work.Mutants = func(ctx context.Context) ([]mutation.Outcome, error) {
			m := &mutantsFlags{
				local: f.mutants == "local", cluster: beside(p.Cluster.Name, "-mutants"), port: p.Cluster.Port,
				output: dir,
			}
			return m.try(ctx, state)
		}
	}
	paths, err = work.Collect(ctx)
	return paths, dir, false, err
}

// enter provides everything that the gate will run, and makes it begin again where its clusters can
// be.
func (f *gateFlags) enter(ctx context.Context, state *State, r *platform.Provider, comparison *gateComparison) error {
	platforms := []*platform.Provider{r}
	if comparison != nil {
		platforms = append(platforms, comparison.on.Provider)
	}
	if f.mutants != "none" {
		if _, err := r.Builder.OpenBaoBinary(ctx); err != nil {
			return exit.Environmentf("program bao", "steamer doctor", "%w", err)
		}
	}
	return state.enter(ctx, platforms...)
}

// checkResolved checks the chart of a plan as it is to be installed, its values included.
func checkResolved(ctx context.Context, p *plan.Resolved) (*lint.Report, error) {
	return lint.Run(ctx, p.Chart, lint.Options{Values: p.Overrides, Dialect: lint.Auto})
}
