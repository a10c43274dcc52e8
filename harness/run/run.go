// Package run is the story of a run: engine, images, cluster; then for each topology install, seed,
// scenarios and load; then the verdict, the reports, and the removal of everything the run made.
package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Run is one run of a resolved plan.
type Run struct {
	Plan      *plan.Resolved
	Root      string          // source tree
	Cache     string          // of images, programs, the private engine and cluster marks
	Images    *images.Builder // builds what the cache lacks
	Engine    engine.Options
	Steamer   string // version, for the result
	Reproduce string // command line that repeats the run
	UI        UI     // where progress goes
	// Suite runs the scenarios; nil is scenario.Run.
	Suite func(context.Context, *scenario.Env, []scenario.Scenario, scenario.Options) ([]result.Scenario, error)

	// Second makes place for a second environment beside the first, for Use; SecondPort is its
	// loopback port, 0 for one that is chosen.
	Second     bool
	SecondPort int
	// Measure takes the place of the load where it is set: it drives each topology itself.
	Measure func(context.Context, *Driver) error
	// Stay leaves what was installed where nothing went wrong; for Plan.Cluster.Keep.
	Stay bool

	// FullStack points the run at a GitLab instead of a cluster; nil is a cluster.
	FullStack *FullStack

	// Elsewhere says that the cluster will be in another network namespace than this process is in:
	// its ports are none of this one's.
	Elsewhere bool
	// Named are images that flags name, pulled into archives already, by their references. A
	// cluster without a way out cannot pull them itself.
	Named map[string]images.Image
	// Also are references of further images that will be used beside the plan's.
	Also []string

	dir      string // run directory
	result   *result.Result
	engine   *engine.Engine
	images   map[string]images.Image
	k6       string
	kind     *cluster.Kind
	cluster  *cluster.Cluster
	cleanups []cleanup
	sides    []*topology.Environment // of a comparison, as PreflightSide rendered them
}

// cleanup undoes one step; cleanups run in reverse order.
type cleanup struct {
	name string
	do   func(context.Context) error
}

// CleanupTimeout bounds each clean-up, which has to work after the run was cancelled.
const CleanupTimeout = 3 * time.Minute

// Do runs the plan. It returns the result and the path of the run directory, also when the run
// failed or was interrupted, unless the input turned out to be bad. The error is what kept the run
// from its end.
func (r *Run) Do(ctx context.Context) (*result.Result, string, error) {
	if err := r.begin(); err != nil {
		return nil, "", err
	}
	err := r.execute(ctx)
	err = errors.Join(err, r.cleanUp(ctx))
	if exit.CodeOf(err) == exit.Invalid && len(r.result.Topologies) == 0 {
		return nil, "", errors.Join(err, os.RemoveAll(r.dir)) // input that only the engine could refuse: nothing was measured
	}
	return r.result, r.dir, errors.Join(err, r.end(ctx, err))
}

// begin makes the run directory and the result's frame.
func (r *Run) begin() error {
	started := time.Now().UTC()
	id, err := newID(started)
	if err != nil {
		return err
	}
	r.dir = filepath.Join(r.Plan.Output, id)
	if r.dir, err = filepath.Abs(r.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return exit.Invalidf("--output-dir "+r.Plan.Output, "name a directory that can be written", "%w", err)
	}
	r.frame(id)
	r.result.Run.Started = started
	return nil
}

// frame makes an empty result.
func (r *Run) frame(id string) {
	r.result = &result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind,
		Run: result.Run{
			ID: id, Started: time.Now().UTC(), Profile: r.Plan.Profile.Name, Tier: r.Plan.Tier.Name, Steamer: r.Steamer,
			Reproduce: r.Reproduce, Partial: true, Host: host(),
			EnvironmentLatency: time.Duration(r.Plan.EnvironmentLatency).Seconds() * 1000,
		},
		Topologies: []result.Topology{}, Steps: []result.Step{},
		NotMeasured: []string{
			"network latency between GitLab, runners, OpenBao and PostgreSQL: everything shares one host",
			"regressions against another chart version: this run judges objectives only",
		},
	}
}

// execute takes the run from the engine to the last topology.
func (r *Run) execute(ctx context.Context) error {
	if r.FullStack != nil {
		err := r.step(ctx, FullStackTopology, "scenarios", r.fullStack)
		r.result.Run.Partial = err != nil
		return err
	}
	if err := r.groundSteps(ctx); err != nil {
		return err
	}
	for _, name := range r.Plan.Topologies {
		if err := r.topology(ctx, name); err != nil {
			return err
		}
	}
	r.result.Run.Partial = false
	return nil
}

// groundSteps brings up everything that topologies stand on.
func (r *Run) groundSteps(ctx context.Context) error {
	type part struct {
		name string
		do   func(context.Context) error
	}
	ground := []part{
		{"engine", r.startEngine},
		{"check cluster", r.checkCluster},
		{"images", r.provideImages},
		{"cluster", r.upCluster},
	}
	if r.Plan.Cluster.Existing() { // Preflight has opened it
		ground = []part{{"images", r.provideK6}}
	}
	for _, s := range ground {
		if err := r.step(ctx, "", s.name, s.do); err != nil {
			return err
		}
	}
	return nil
}

// step runs one step, times it and records it.
func (r *Run) step(ctx context.Context, topologyName, name string, do func(context.Context) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	started := time.Now()
	r.UI.Start(topologyName, name)
	err := do(ctx)
	s := result.Step{Name: name, Topology: topologyName, Started: started.UTC(), Seconds: time.Since(started).Seconds()}
	if err != nil {
		s.Error = oneLine(err)
	}
	r.result.Steps = append(r.result.Steps, s)
	r.UI.Done(topologyName, name, time.Since(started), err)
	return err
}

func (r *Run) undoLater(name string, do func(context.Context) error) {
	r.cleanups = append(r.cleanups, cleanup{name, do})
}

// cleanUp undoes the steps in reverse order, each within CleanupTimeout, also after cancellation.
func (r *Run) cleanUp(ctx context.Context) error {
	var failures []error
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		failures = append(failures, r.undo(ctx, r.cleanups[i]))
	}
	r.cleanups = nil
	return errors.Join(failures...)
}

func (r *Run) undo(ctx context.Context, c cleanup) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CleanupTimeout)
	defer cancel()
	return r.step(ctx, "", "clean up: "+c.name, c.do)
}

// end judges, and writes the result and the reports.
func (r *Run) end(ctx context.Context, failed error) error {
	r.result.Run.Finished = time.Now().UTC()
	slo, err := judge.ReadSLO(r.Plan.SLO)
	if err != nil {
		return err
	}
	judge.Judge(r.result, judge.Policy{
		SLO: slo, Validity: judge.DefaultValidity(),
		Expect: judge.Expect{Scenarios: r.Plan.Scenarios != scenario.None, Load: r.Plan.Load && r.Measure == nil},
	})
	for i := range r.result.Topologies {
		t := &r.result.Topologies[i]
		t.NotMeasured = append(t.NotMeasured, judge.NotJudged(t)...)
	}
	if ctx.Err() != nil {
		r.result.Interrupted()
	} else if failed != nil && r.result.Verdict == result.Pass {
		r.result.Verdict = result.Inconclusive
		r.result.Reasons = []string{oneLine(failed)}
	}
	return errors.Join(result.WriteFile(filepath.Join(r.dir, "result.json"), r.result), report.WriteAll(r.dir, r.result))
}

// maxReason is how much of an error a reason in the result holds, in bytes.
const maxReason = 400

// oneLine is an error's text on one line, without its hint, for steps and reasons. Helm's errors
// spread over several.
func oneLine(err error) string {
	text, _, _ := strings.Cut(secret.Redact(err.Error()), "\n  hint: ") // before a cut that could leave half a secret
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + " …"
	}
	return text
}

// environmentSpec turns the plan into what topology installs.
func (r *Run) environmentSpec(name, id string) topology.Spec {
	return topology.Spec{
		Topology: name, Run: id, Chart: r.Plan.Chart, Dialect: r.Plan.Dialect, Overrides: r.Plan.Overrides,
		Resources: resources(r.Plan.Tier), Fixtures: r.Plan.Fixtures, NodePort: r.nodePort(),
		ReadyTimeout: time.Duration(r.Plan.ReadyTimeout), Signing: r.Plan.Profile.Algorithm(),
		Images: topology.Images{
			OpenBao: r.images[images.OpenBao].Ref, PostgreSQL: r.images[images.PostgreSQL].Ref,
			GitLabStub: r.images[images.GitLabStub].Ref,
		},
	}
}

// Preflight renders the chart for every topology with the plan's values and looks at the cluster,
// before anything is touched. Of a full-stack run it looks at GitLab and OpenBao.
func (r *Run) Preflight(ctx context.Context) error {
	if r.FullStack != nil {
		return r.FullStack.Check(ctx)
	}
	var environments []*topology.Environment
	for _, suffix := range r.suffixes() {
		for _, name := range r.Plan.Topologies {
			spec := r.environmentSpec(name, "preflight")
			spec.Suffix = suffix
			preflightImages(&spec)
			env, err := topology.New(nil, nil, spec, nil)
			if err != nil {
				return fmt.Errorf("topology %s: %w", name, err)
			}
			environments = append(environments, env)
		}
	}
	return r.checkGround(ctx, environments)
}

// preflightImages names images where none are known yet, to render charts with.
func preflightImages(spec *topology.Spec) {
	i := &spec.Images
	for name, ref := range map[string]*string{
		images.OpenBao: &i.OpenBao, images.PostgreSQL: &i.PostgreSQL,
		images.GitLabStub: &i.GitLabStub,
	} {
		if *ref == "" {
			*ref = images.Repository + "/" + name + ":preflight"
		}
	}
}

// suffixes are those of the run's environments.
func (r *Run) suffixes() []string {
	if r.SecondPort != 0 {
		return []string{"", SecondSuffix}
	}
	return []string{""}
}
