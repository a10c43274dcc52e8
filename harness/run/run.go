// Package run is the story of a run: it brings up a platform; then for each topology it installs
// the chart, provisions tenants, runs scenarios and drives load; then it judges, reports, and
// removes everything that the run made.
package run

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/steps"
)

// Runner runs a resolved plan once.
type Runner struct {
	Plan      *plan.Resolved
	Platform  Platform // where the topologies are installed, see OnCluster; nil for RunFullStack
	Steamer   string   // version, for the result
	Reproduce string   // command line that repeats the run
	UI        steps.UI // where progress goes
	// Suite runs the scenarios; nil is scenario.RunShards.
	Suite func(context.Context, []*scenario.Env, []scenario.Scenario, scenario.Options) ([]result.Scenario, error)

	dir    string // run directory
	steps  *steps.Steps
	result *result.Result
	opened []*topology     // so far
	stage  *scenario.Stage // where all installations are; nil while there is one at a time
}

// Run takes the plan to a verdict. Whatever happens on the way, the result is complete up to that
// point, and what the run made is removed. It returns the result and the path of the run
// directory, unless the input turned out to be bad. The error is what kept the run from its end.
func (r *Runner) Run(ctx context.Context) (res *result.Result, dir string, err error) {
	if err := r.begin(); err != nil {
		return nil, "", err
	}
	defer func() { res, dir, err = r.finish(ctx, errors.Join(err, r.steps.Clean(ctx))) }()

	if err := r.provision(ctx); err != nil { // engine, images, cluster
		return nil, "", err
	}
	for _, names := range r.turns() {
		if err := r.turn(ctx, names); err != nil { // install, seed, scenarios, load
			return nil, "", err
		}
	}
	r.result.Run.Partial = false
	return nil, "", nil
}

// begin makes the run directory and an empty result.
func (r *Runner) begin() error {
	started := time.Now().UTC()
	id := result.NewID(started)
	var err error
	if r.dir, err = filepath.Abs(filepath.Join(r.Plan.Output, id)); err != nil {
		return err
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return exit.Invalidf("--output-dir "+r.Plan.Output, "name a directory that can be written", "%w", err)
	}
	r.steps = steps.New(r.UI)
	r.result = &result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind,
		Run: result.Run{
			ID: id, Started: started, Profile: r.Plan.Profile.Name, Tier: r.Plan.Tier.Name, Steamer: r.Steamer,
			Reproduce: r.Reproduce, Partial: true, Host: platform.ThisHost(),
			EnvironmentLatency: time.Duration(r.Plan.EnvironmentLatency).Seconds() * 1000,
		},
		Topologies: make([]result.Topology, 0, max(1, len(r.Plan.Topologies))), // never moved: topologies write to theirs
		NotMeasured: []string{
			"network latency between GitLab, runners, OpenBao and PostgreSQL: everything shares one host",
			"regressions against another chart version: this run judges objectives only",
		},
	}
	return nil
}

// provision brings up the platform.
func (r *Runner) provision(ctx context.Context) error {
	err := r.Platform.Up(ctx, r.result.Run.ID, r.steps)
	r.result.Run.Host.Engine = r.Platform.Describe()
	return err
}

// finish judges what there is, and writes the result and the reports. failed is what kept the run
// from its end.
func (r *Runner) finish(ctx context.Context, failed error) (*result.Result, string, error) {
	if exit.CodeOf(failed) == exit.Invalid && len(r.result.Topologies) == 0 { // only the engine could refuse it
		return nil, "", errors.Join(failed, os.RemoveAll(r.dir))
	}
	r.result.Run.Finished, r.result.Steps = time.Now().UTC(), r.steps.Done()
	r.judge(ctx, failed)
	written := errors.Join(result.WriteFile(filepath.Join(r.dir, "result.json"), r.result),
		report.WriteAll(r.dir, r.result))
	return r.result, r.dir, errors.Join(failed, written)
}

// judge derives the verdict.
func (r *Runner) judge(ctx context.Context, failed error) {
	judge.Judge(r.result, judge.Policy{
		SLO: r.Plan.Objectives, Validity: judge.DefaultValidity(),
		Expect: judge.Expect{Scenarios: r.Plan.Scenarios != scenario.None, Load: r.Plan.Load},
	})
	for i := range r.result.Topologies {
		t := &r.result.Topologies[i]
		t.NotMeasured = append(t.NotMeasured, judge.NotJudged(t)...)
	}
	if ctx.Err() != nil {
		r.result.Interrupted()
	} else if failed != nil && r.result.Verdict == result.Pass {
		r.result.Verdict = result.Inconclusive
		r.result.Reasons = []string{steps.OneLine(failed)}
	}
}
