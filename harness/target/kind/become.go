package kind

import (
	"context"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Become upgrades what is installed to the chart, the values and the image of spec, and waits
// until it is ready. A target.UnfitError is the chart's fault; an error of code exit.Invalid,
// before anything is touched, says that chart and values do not fit.
func (t *Target) Become(ctx context.Context, spec topology.Spec) error {
	return t.changed(ctx, spec, t.env.Become(ctx, spec))
}

// Back rolls what is installed back to the release before, which was installed as spec says.
// Errors are as of Become.
func (t *Target) Back(ctx context.Context, spec topology.Spec) error {
	return t.changed(ctx, spec, t.env.Back(ctx, spec))
}

// changed describes what is installed now, or says whose fault it is that it is not.
func (t *Target) changed(ctx context.Context, spec topology.Spec, err error) error {
	if exit.CodeOf(err) == exit.Invalid {
		return err
	}
	if err != nil {
		return t.blame(ctx, err)
	}
	t.options.Spec = spec
	t.info.Chart = spec.Chart.InfoWith(spec.Overrides)
	return t.versions(ctx)
}

// Strategy is the way in which the chart's workload replaces its pods; "" where that is not known.
func (t *Target) Strategy(ctx context.Context) string { return t.env.Strategy(ctx) }

// budgets are the outage budgets for what is installed.
func (t *Target) budgets(change, strategy string) (judge.Outage, bool) {
	return judge.OutageFor(t.platform.Provider.Plan.Objectives.Outages, change, strategy, t.info.Chart.Version,
		t.info.Versions[component])
}
