package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
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
	shards []*shard // installations of it, the first of which load is driven at
	out    *result.Topology

	// What later topologies need not try again.
	mu     sync.Mutex
	server int             // scenarios of the server that it is to try
	ran    map[string]bool // those with an outcome, by ID: whether it ran
	known  chan struct{}   // closed when all have one, or the topology ended
	end    func()          // closes it
}

// shard is one installation of a topology.
type shard struct {
	Target
	number int         // from 1
	remove *steps.Undo // closes the target
}

// label begins what is shown of one of several installations; "" for the only one.
func (t *topology) label(one *shard) string {
	if len(t.shards) == 1 {
		return ""
	}
	return fmt.Sprintf("%s, shard %d: ", t.out.Name, one.number)
}

// step is the name of a step on an installation.
func (t *topology) step(name string, one *shard) string {
	if len(t.shards) == 1 {
		return name
	}
	return fmt.Sprintf("%s, shard %d", name, one.number)
}

// open prepares the installations of a topology, and has what they will make removed when the run
// ends. before is how many topologies are there at once and come before it.
func (r *Runner) open(name string, before int) (*topology, error) {
	layout := r.Platform.Layout()
	count := max(1, layout.Shards)
	last := layout.Together || name == r.Plan.Topologies[len(r.Plan.Topologies)-1]
	t := &topology{ran: map[string]bool{}, known: make(chan struct{})}
	t.end = sync.OnceFunc(func() { close(t.known) })
	for i := range count {
		at := Place{Dir: r.dir, Number: i + 1, Index: before*count + i, Last: last && (i == 0 || !r.Plan.Load)}
		switch {
		case count > 1:
			at.Label = fmt.Sprintf("%s, shard %d: ", name, i+1)
		case layout.Together:
			at.Label = name + ": "
		}
		target, err := r.Platform.Target(name, at)
		if err != nil {
			return nil, err
		}
		t.shards = append(t.shards, &shard{Target: target, number: i + 1})
	}
	info := t.shards[0].Info()
	r.result.Topologies = append(r.result.Topologies, result.Topology{
		Name: name, Chart: info.Chart, Versions: info.Versions, Images: info.Images,
		Scenarios: []result.Scenario{}, Checks: []result.Check{}, Reasons: []string{},
	})
	t.out = &r.result.Topologies[len(r.result.Topologies)-1]
	if count > 1 {
		t.out.Shards = count
	}
	for _, one := range t.shards {
		one.remove = r.steps.Cleanup(t.step("topology "+name, one), one.Close)
	}
	r.opened = append(r.opened, t)
	return t, nil
}

// exercise is what a run does with a topology, in order.
func (r *Runner) exercise(ctx context.Context, t *topology) error {
	for _, step := range []struct {
		wanted bool
		do     func(context.Context, *topology) error
	}{
		{true, r.install},
		{true, r.seed},
		{r.Plan.Scenarios != scenario.None, r.scenarios},
		{r.Plan.Load, r.load},
	} {
		if !step.wanted {
			continue
		}
		if err := step.do(ctx, t); err != nil {
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
			return each(len(t.shards), func(i int) error { return r.diagnose(ctx, t, t.shards[i]) })
		})
	} else {
		r.learn(ctx, t.shards...)
	}
	removal := each(len(t.shards), func(i int) error { return t.shards[i].remove.Now(ctx) })
	if errors.As(failed, &target.UnfitError{}) {
		failed = nil
	}
	return errors.Join(ctx.Err(), removal, failed)
}

// diagnose saves what explains a failure on an installation.
func (r *Runner) diagnose(ctx context.Context, t *topology, one *shard) error {
	dir := kind.Diagnostics(r.dir, t.out.Name)
	if one.number > 1 {
		dir = filepath.Join(dir, fmt.Sprintf("shard-%d", one.number))
	}
	return one.Diagnose(ctx, dir)
}

// learn has the process withhold what scenarios may have made of secrets.
func (r *Runner) learn(ctx context.Context, shards ...*shard) {
	for _, one := range shards {
		if unknown := one.LearnSecrets(ctx); unknown != nil && ctx.Err() == nil {
			r.UI.Note(unknown.Error())
		}
	}
}

// install brings the chart up. That it comes up is the first scenario.
func (r *Runner) install(ctx context.Context, t *topology) error {
	started := time.Now()
	first := t.shards[0]
	err := r.onShards(ctx, t, "install", func(ctx context.Context, one *shard) error { return one.Install(ctx) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	info := first.Info()
	t.out.Versions, t.out.Images = info.Versions, info.Images
	t.out.NotMeasured = append(t.out.NotMeasured, info.NotMeasured...)
	outcome := result.Scenario{
		ID: "lifecycle/install",
		Title: "The chart installs and OpenBao becomes ready: " +
			"initialised, unsealed, led by exactly one pod, reachable by Rails",
		Protects: "everything: without it no job gets a secret", Status: result.Passed,
		Started: started.UTC(), Seconds: time.Since(started).Seconds(),
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
	err = r.onShards(ctx, t, "seed", func(ctx context.Context, one *shard) error {
		seed, err := one.Seed(ctx, r.tenants(one))
		if one.number == 1 {
			t.out.Seed = seed
		}
		return err
	})
	if errors.As(err, &target.UnfitError{}) {
		t.out.Scenarios = append(t.out.Scenarios, result.Scenario{
			ID: "lifecycle/provision", Title: "Rails can provision projects and their secrets, and a job fetches each",
			Protects: "every project's secrets",
			Status:   result.Failed, Reason: steps.OneLine(err),
		})
	}
	return err
}

// fewTenants is how many a further installation gets. Nothing that runs there asks for more, and to
// provision and to fetch all takes more of the CPUs than all else.
const fewTenants = 12

// tenants is how many an installation gets: the plan's, and fewer for a further one, unless the
// plan asks for more than is usual.
func (r *Runner) tenants(one *shard) int {
	if one.number > 1 && r.Plan.Tenants <= gitlab.DefaultTenants {
		return min(r.Plan.Tenants, fewTenants)
	}
	return r.Plan.Tenants
}

// scenarios runs the functional suite. A failed scenario is a finding, not an error of the step.
func (r *Runner) scenarios(ctx context.Context, t *topology) error {
	list, err := r.Plan.Select(scenarios.All())
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.Subject == scenario.SubjectServer {
			t.server++
		}
	}
	return r.steps.Do(ctx, t.out.Name, "scenarios", func(ctx context.Context) error {
		var envs []*scenario.Env
		for _, one := range t.shards {
			env, done, err := one.Suite(ctx)
			if err != nil {
				return err
			}
			defer done()
			envs = append(envs, env)
		}
		outcomes, err := r.suite(ctx, t, envs, list)
		t.out.Scenarios = append(t.out.Scenarios, outcomes...)
		for _, one := range outcomes {
			t.note(one)
		}
		if errors.Is(err, scenario.ErrAbandoned) { // the scenario has failed; the next topology has namespaces of its own
			return target.UnfitError{Err: err}
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil || !r.Plan.Load {
			return ctx.Err()
		}
		return t.shards[0].Restore(ctx)
	})
}

// suite runs scenarios on environments and shows what becomes of each. t may be nil where nothing
// was installed.
func (r *Runner) suite(ctx context.Context, t *topology, envs []*scenario.Env, list []scenario.Scenario) (
	[]result.Scenario, error,
) {
	suite := r.Suite
	if suite == nil {
		suite = scenario.RunShards
	}
	o := scenario.Options{Repeat: r.Plan.Repeat, Shuffle: r.Plan.Shuffle, Stage: r.stage}
	where := ""
	if t != nil {
		if t != r.opened[0] {
			o.Elsewhere = r.elsewhere(ctx, t)
		}
		if r.stage != nil {
			where = t.out.Name
		}
	}
	o.Progress = func(_ scenario.Scenario, one *result.Scenario) {
		if one == nil {
			return
		}
		if t != nil {
			t.note(*one)
		}
		r.UI.Scenario(where, *one)
	}
	o.Round = func(number int, outcome []result.Scenario, took time.Duration) {
		count := map[result.Status]int{}
		for _, one := range outcome {
			count[one.Status]++
		}
		round := fmt.Sprintf("round %d of %d: %d passed, %d failed, %d skipped, in %v", number, r.Plan.Repeat,
			count[result.Passed], count[result.Failed], count[result.Skipped], took.Round(time.Second))
		if where != "" {
			round = where + ": " + round
		}
		r.UI.Note(round)
	}
	return suite(ctx, envs, list, o)
}

// load drives the plan's profile at the topology, of which one installation is left, and beside
// nothing else.
func (r *Runner) load(ctx context.Context, t *topology) error {
	if err := r.thin(ctx, t); err != nil {
		return err
	}
	leave, err := r.stage.Enter(ctx, true)
	if err != nil {
		return err
	}
	defer leave()
	return r.steps.Do(ctx, t.out.Name, "load", func(ctx context.Context) error { return r.drive(ctx, t) })
}

// thin removes all installations of a topology but the first, and waits until they are gone.
func (r *Runner) thin(ctx context.Context, t *topology) error {
	further := t.shards[1:]
	if len(further) == 0 {
		return nil
	}
	_, failures, _ := t.out.Count()
	if failures == 0 {
		r.learn(ctx, further...)
	}
	err := each(len(further), func(i int) error {
		if failures > 0 { // later it would be too late
			return r.drop(ctx, t, further[i])
		}
		return errors.Join(further[i].remove.Now(ctx), further[i].AwaitRemoved(ctx))
	})
	t.shards = t.shards[:1]
	return errors.Join(ctx.Err(), err)
}

// drive drives the load.
func (r *Runner) drive(ctx context.Context, t *topology) error {
	rate := r.Plan.Rate
	if rate == 0 {
		rate = r.Plan.Profile.PerSecond(r.Plan.Tier)
	}
	length := time.Duration(r.Plan.Profile.Warmup) + time.Duration(r.Plan.Profile.Duration)
	r.UI.Note("k6: " + r.Plan.Profile.Outline(rate))
	seen, err := t.shards[0].Drive(ctx, target.Job{
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
