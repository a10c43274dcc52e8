package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/kind"
	"gitlab.com/steamer/steamer/scenarios"
)

// topology is one topology on its way through the run.
type topology struct {
	Target
	out    *result.Topology
	remove *steps.Undo // closes the target
}

// open prepares a topology, and has what it will make removed when the run ends.
func (r *Runner) open(name string, last bool) (*topology, error) {
	t, err := r.Platform.Target(name, r.dir, last)
	if err != nil {
		return nil, err
	}
	info := t.Info()
	r.result.Topologies = append(r.result.Topologies, result.Topology{
		Name: name, Chart: info.Chart, Versions: info.Versions, Images: info.Images,
		Scenarios: []result.Scenario{}, Checks: []result.Check{}, Reasons: []string{},
	})
	return &topology{
		Target: t, out: &r.result.Topologies[len(r.result.Topologies)-1],
		remove: r.steps.Cleanup("topology "+name, t.Close),
	}, nil
}

// exercise is what a run does with a topology, in order.
func (r *Runner) exercise(ctx context.Context, t *topology) error {
	for _, step := range []struct {
		name   string
		wanted bool
		do     func(context.Context, *topology) error
	}{
		{"install", true, r.install},
		{"seed", true, r.seed},
		{"scenarios", r.Plan.Scenarios != scenario.None, r.scenarios},
		{"load", r.Plan.Load, r.load},
	} {
		if !step.wanted {
			continue
		}
		do := func(ctx context.Context) error { return step.do(ctx, t) }
		if err := r.steps.Do(ctx, t.out.Name, step.name, do); err != nil {
			return err
		}
	}
	return nil
}

// leave saves what explains a failure, and removes the topology. Its error keeps the run from
// going on with the next one: a chart that does not come up does not, it is a finding about this
// topology.
func (r *Runner) leave(ctx context.Context, t *topology, failed error) error {
	if _, failures, _ := t.out.Count(); failed != nil || failures > 0 {
		_ = r.steps.Final(ctx, t.out.Name, "diagnostics", func(ctx context.Context) error {
			return t.Diagnose(ctx, kind.Diagnostics(r.dir, t.out.Name))
		})
	} else if unknown := t.LearnSecrets(ctx); unknown != nil && ctx.Err() == nil { // scenarios may have made some
		r.UI.Note(unknown.Error())
	}
	removal := t.remove.Now(ctx)
	if errors.As(failed, &target.UnfitError{}) {
		failed = nil
	}
	return errors.Join(ctx.Err(), removal, failed)
}

// install brings the chart up. That it comes up is the first scenario.
func (r *Runner) install(ctx context.Context, t *topology) error {
	started := time.Now()
	err := t.Install(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	info := t.Info()
	t.out.Versions, t.out.Images = info.Versions, info.Images
	t.out.NotMeasured = append(t.out.NotMeasured, info.NotMeasured...)
	outcome := result.Scenario{
		ID: "lifecycle/install",
		Title: "The chart installs and OpenBao becomes ready: " +
			"initialised, unsealed, led by exactly one pod, reachable by Rails",
		Protects: "everything: without it no job gets a secret", Status: result.Passed,
		Seconds: time.Since(started).Seconds(),
	}
	if errors.As(err, &target.UnfitError{}) {
		outcome.Status, outcome.Reason = result.Failed, steps.OneLine(err)
	} else if err != nil {
		return err
	}
	t.out.Scenarios = append(t.out.Scenarios, outcome)
	maps.Copy(t.out.Versions, tools())
	return err
}

// tools are the versions of what Steamer itself uses.
func tools() map[string]string {
	all := map[string]string{"k6": images.K6Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return all
	}
	for _, dep := range info.Deps {
		switch dep.Path {
		case "helm.sh/helm/v3":
			all["helm"] = dep.Version
		case "sigs.k8s.io/kind":
			all["kind"] = dep.Version
		}
	}
	return all
}

// seed provisions the tenants the way Rails does and fetches every secret once.
func (r *Runner) seed(ctx context.Context, t *topology) (err error) {
	t.out.Seed, err = t.Seed(ctx, r.Plan.Tenants)
	if errors.As(err, &target.UnfitError{}) {
		t.out.Scenarios = append(t.out.Scenarios, result.Scenario{
			ID: "lifecycle/provision", Title: "Rails can provision projects and their secrets, and a job fetches each",
			Protects: "every project's secrets",
			Status:   result.Failed, Reason: steps.OneLine(err),
		})
	}
	return err
}

// scenarios runs the functional suite. A failed scenario is a finding, not an error of the step.
func (r *Runner) scenarios(ctx context.Context, t *topology) error {
	list, err := r.Plan.Select(scenarios.All())
	if err != nil {
		return err
	}
	env, done, err := t.Suite(ctx)
	if err != nil {
		return err
	}
	defer done()
	outcomes, err := r.suite(ctx, env, list, r.elsewhere(t.out))
	t.out.Scenarios = append(t.out.Scenarios, outcomes...)
	if errors.Is(err, scenario.ErrAbandoned) { // the scenario has failed; the next topology has namespaces of its own
		return target.UnfitError{Err: err}
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return t.Restore(ctx)
}

// elsewhere returns where this run has tried a scenario of the server on the same OpenBao, or "".
// Recipes are those of the plan in every topology.
func (r *Runner) elsewhere(here *result.Topology) func(scenario.Scenario) string {
	tried := map[string]string{}
	for i := range r.result.Topologies {
		there := &r.result.Topologies[i]
		if there == here || there.Images["openbao"] != here.Images["openbao"] ||
			there.Versions["openbao"] != here.Versions["openbao"] {
			continue
		}
		for _, s := range there.Scenarios {
			if s.Status != result.Skipped {
				tried[s.ID] = there.Name
			}
		}
	}
	return func(s scenario.Scenario) string {
		if s.Subject != scenario.SubjectServer || tried[s.ID] == "" {
			return ""
		}
		return result.Elsewhere + tried[s.ID]
	}
}

// suite runs scenarios on an environment and shows what becomes of each. elsewhere may be nil, see
// scenario.Options.
func (r *Runner) suite(ctx context.Context, env *scenario.Env, list []scenario.Scenario,
	elsewhere func(scenario.Scenario) string,
) ([]result.Scenario, error) {
	suite := r.Suite
	if suite == nil {
		suite = scenario.Run
	}
	return suite(ctx, env, list, scenario.Options{
		Repeat: r.Plan.Repeat, Shuffle: r.Plan.Shuffle, Elsewhere: elsewhere,
		Progress: func(_ scenario.Scenario, one *result.Scenario) {
			if one != nil {
				r.UI.Scenario(*one)
			}
		},
		Round: func(number int, outcome []result.Scenario, took time.Duration) {
			count := map[result.Status]int{}
			for _, one := range outcome {
				count[one.Status]++
			}
			r.UI.Note(fmt.Sprintf("round %d of %d: %d passed, %d failed, %d skipped, in %v", number, r.Plan.Repeat,
				count[result.Passed], count[result.Failed], count[result.Skipped], took.Round(time.Second)))
		},
	})
}

// load drives the plan's profile at the topology.
func (r *Runner) load(ctx context.Context, t *topology) error {
	rate := r.Plan.Rate
	if rate == 0 {
		rate = r.Plan.Profile.PerSecond(r.Plan.Tier)
	}
	length := time.Duration(r.Plan.Profile.Warmup) + time.Duration(r.Plan.Profile.Duration)
	r.UI.Note("k6: " + r.Plan.Profile.Outline(rate))
	seen, err := t.Drive(ctx, target.Job{
		Name: t.out.Name, Profile: r.Plan.Profile, Rate: rate, Thresholds: r.Plan.Thresholds(t.out.Name),
		Progress: func(iv result.Interval) { r.UI.Interval(iv, length) },
	})
	adopt(t.out, seen.Topology)
	return err
}

// adopt takes what was measured over into the topology's result.
func adopt(out *result.Topology, seen result.Topology) {
	out.Load, out.Cost = seen.Load, seen.Cost
	out.Resources, out.Events = seen.Resources, seen.Events
	out.Server, out.Database, out.Observer = seen.Server, seen.Database, seen.Observer
	out.Host, out.Nodes, out.Own = seen.Host, seen.Nodes, seen.Own
	out.NotMeasured = slices.Concat(out.NotMeasured, seen.NotMeasured)
}
