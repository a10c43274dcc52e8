package resilience

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/alerts"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// scrapes is how many scrapes decide whether an alert's expression holds.
const scrapes = 3

// raisesAlert expects that a faulty pod fires one of the chart's alerts that its healthy peer does
// not. An alert fires when its condition lasts; how long is not waited for.
func raisesAlert(ctx context.Context, t scenario.T, env *scenario.Env, faulty, healthy string) {
	t.Helper()
	_, err := cluster.Metrics(ctx, env, faulty)
	require.NoError(t, err, "a sealed pod must serve metrics")
	if !env.Has(scenario.Change(scenario.ChangeAlerts)) {
		t.Logf("alerts are not checked: %s", scenario.Change(scenario.ChangeAlerts).Lack())
		return
	}
	rules := chartAlerts(t, env)
	fired, unknown := holding(ctx, t, env, rules, faulty)
	quiet, _ := holding(ctx, t, env, rules, healthy)
	t.Logf("alerts that the faulty pod raises: %v; the healthy pod: %v; without metrics here: %v", fired, quiet, unknown)
	fired = slices.DeleteFunc(fired, func(name string) bool { return slices.Contains(quiet, name) })
	require.NotEmpty(t, fired, "none of %d alerts fires for a sealed pod", len(rules))
}

// chartAlerts are the alerting rules of the chart, with alerts switched on.
func chartAlerts(t scenario.T, env *scenario.Env) []alerts.Rule {
	t.Helper()
	values, err := env.Installer.Change(scenario.ChangeAlerts, nil)
	require.NoError(t, err)
	files, err := env.Installer.Render(values)
	require.NoError(t, err)
	rules, err := alerts.Rules(files)
	require.NoError(t, err)
	return rules
}

// holding scrapes one pod several times and returns the alerts whose expression holds at every
// scrape, and those all of whose metrics OpenBao does not serve.
func holding(ctx context.Context, t scenario.T, env *scenario.Env, rules []alerts.Rule, pod string) (names,
	unknown []string,
) {
	t.Helper()
	var recording alerts.Recording
	labels := map[string]string{"namespace": env.Namespace, "pod": pod, "container": env.Container}
	for range scrapes {
		scenario.MustConverge(ctx, t, scenario.Convergence{
			What: "the metrics of pod " + pod, Interval: env.Timeouts.Poll, Deadline: env.Timeouts.Labels,
		}, func(ctx context.Context) error {
			metrics, err := cluster.Metrics(ctx, env, pod)
			if err == nil {
				err = recording.Scrape(time.Now(), alerts.Target{Labels: labels, Metrics: metrics})
			}
			return err
		})
	}
	outcomes, err := recording.Evaluate(ctx, rules, recording.Times())
	require.NoError(t, err)
	lasted := recording.Times()[scrapes-1].Sub(recording.Times()[0])
	for _, o := range outcomes {
		switch {
		case o.Blind:
			unknown = append(unknown, o.Alert)
		case o.Holds && o.Held == lasted:
			names = append(names, o.Alert)
		}
	}
	return names, unknown
}
