package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/observe"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
)

// stage is one topology on its way through the run.
type stage struct {
	*Run
	env     *topology.Environment
	changer *topology.Changer
	out     *result.Topology
	tenants []gitlab.Tenant
	recipes []*gitlab.Recipe
	seed    string // keys the secrets' values; never leaves the process
}

// topology installs, seeds, checks and loads one topology, saves diagnostics where something went
// wrong, and removes it. Its error is nil when the run can go on with the next topology.
func (r *Run) topology(ctx context.Context, name string) error {
	env, err := topology.New(r.cluster, r.engine, r.environmentSpec(name, r.result.Run.ID), r.UI.Note)
	if err != nil {
		return err
	}
	r.result.Topologies = append(r.result.Topologies, result.Topology{
		Name: name, Chart: r.Plan.Chart.InfoWith(r.Plan.Overrides), Scenarios: []result.Scenario{}, Checks: []result.Check{},
		Reasons:  []string{},
		Versions: map[string]string{"kubernetes": r.cluster.Version}, Images: map[string]string{},
	})
	s := &stage{Run: r, env: env, changer: env.Changer(), out: &r.result.Topologies[len(r.result.Topologies)-1]}
	for _, image := range r.images {
		s.out.Images[image.Name] = image.Ref
		if image.Digest != "" { // of an image that Steamer built; the cluster pulls others
			s.out.Images[image.Name] += "@" + image.Digest
		}
	}
	if s.seed, err = randomSeed(); err != nil {
		return err
	}
	err = s.story(ctx)
	if err != nil || s.failedScenarios() {
		s.saveDiagnostics(ctx)
	} else if unknown := env.LearnSecrets(ctx); unknown != nil && ctx.Err() == nil { // scenarios may have made some
		r.UI.Note(unknown.Error())
	}
	if r.Stay && err == nil && ctx.Err() == nil {
		r.UI.Note("what was installed stays, in " + strings.Join(topology.Namespaces(name), " and "))
		return nil
	}
	remove := func(ctx context.Context) error {
		if r.Plan.Cluster.Existing() { // on Steamer's own cluster nobody needs to wait: it goes, or the next run waits if it has to
			r.undoLater("namespaces of "+name, env.AwaitRemoved)
		}
		return env.Remove(ctx)
	}
	last := name == r.Plan.Topologies[len(r.Plan.Topologies)-1]
	if r.cluster.Created && !r.Plan.Cluster.Keep && (last || ctx.Err() != nil) {
		remove = env.RemoveMachine // the cluster goes as a whole, and someone waits
	}
	removal := r.undo(ctx, cleanup{"topology " + name, remove})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(removal, s.fatal(err))
}

// story is what happens on one topology, in order.
func (s *stage) story(ctx context.Context) error {
	name := s.env.Spec.Topology
	if err := s.step(ctx, name, "install", s.install); err != nil {
		return err
	}
	if err := s.step(ctx, name, "seed", s.provision); err != nil {
		return err
	}
	if s.Plan.Scenarios != scenario.None {
		if err := s.step(ctx, name, "scenarios", s.scenarios); err != nil {
			return err
		}
	}
	if s.Measure != nil {
		return s.step(ctx, name, "measure", func(ctx context.Context) error { return s.Measure(ctx, &Driver{s}) })
	}
	if s.Plan.Load {
		return s.step(ctx, name, "load", s.drive)
	}
	return nil
}

// chartError is a failure of the chart under test: a finding, not a fault of the environment.
type chartError struct{ error }

// fatal keeps an error that would hit the next topology as well; a chart that does not come up is a
// finding of this topology.
func (s *stage) fatal(err error) error {
	var finding chartError
	if errors.As(err, &finding) {
		return nil
	}
	return err
}

func (s *stage) failedScenarios() bool {
	_, failed, _ := s.out.Count()
	return failed > 0
}

// install brings the chart up. That it comes up is the first scenario.
func (s *stage) install(ctx context.Context) error {
	started := time.Now()
	err := s.env.Install(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	outcome := result.Scenario{
		ID: "lifecycle/install", Title: "The chart installs and OpenBao becomes ready: initialised, unsealed, led by exactly one pod, reachable by Rails",
		Protects: "everything: without it no job gets a secret", Status: result.Passed,
		Seconds: time.Since(started).Seconds(),
	}
	if err != nil {
		var chartFault *topology.ChartError
		if !errors.As(err, &chartFault) {
			return err
		}
		outcome.Status, outcome.Reason = result.Failed, oneLine(err)
		s.out.Scenarios = append(s.out.Scenarios, outcome)
		return chartError{err}
	}
	s.out.Scenarios = append(s.out.Scenarios, outcome)
	return s.versions(ctx)
}

// versions asks the installed software what it is.
func (s *stage) versions(ctx context.Context) error {
	client := openbao.New(s.env.Address, nil)
	defer client.Close()
	health, err := client.Health(ctx)
	if err != nil {
		return s.blame(ctx, fmt.Errorf("health of OpenBao: %w", err))
	}
	running, err := s.env.RunningImages(ctx)
	if err != nil {
		s.UI.Note(err.Error()) // they are to be told, no more
	}
	maps.Copy(s.out.Images, running)
	s.out.Versions["openbao"] = health.Version
	if version, err := s.env.Database().Query(ctx,
		"SHOW server_version"); err == nil { // what runs, not what was asked for
		s.out.Versions["postgresql"] = version
	} else {
		s.UI.Note("PostgreSQL's version was not read: " + oneLine(err))
	}
	s.out.Versions["helm"], s.out.Versions["kind"], s.out.Versions["k6"] = moduleVersion("helm.sh/helm/v3"),
		moduleVersion("sigs.k8s.io/kind"), images.K6Version
	return nil
}

// provision seeds the tenants the way Rails does and fetches every secret once.
func (s *stage) provision(ctx context.Context) error {
	var err error
	if s.recipes, err = gitlab.Recipes(); err != nil {
		return err
	}
	if s.tenants, err = gitlab.Plan(s.recipes, s.Plan.Tenants, s.Plan.Secrets); err != nil {
		return err
	}
	client := openbao.New(s.env.Address, nil)
	defer client.Close()
	heap := s.heap(ctx)
	seeder := &gitlab.Seeder{
		Client: client, Issuer: s.env.Issuer, Audience: s.env.Audience(), Seed: s.seed, Recipes: s.recipes,
		Progress: func(done, total int) { s.UI.Progress("provisioned tenants", done, total) },
	}
	s.out.Seed, err = seeder.Run(ctx, s.tenants)
	if s.out.Seed != nil {
		s.out.Seed.HeapBeforeMiB = heap
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if err = s.blame(ctx, err); errors.As(err, &chartError{}) {
		s.out.Scenarios = append(s.out.Scenarios, result.Scenario{
			ID: "lifecycle/provision", Title: "Rails can provision projects and their secrets, and a job fetches each",
			Protects: "every project's secrets",
			Status:   result.Failed, Reason: oneLine(err),
		})
	}
	return err
}

// blame is a chartError, or another error where something is wrong with what surrounds the chart.
func (s *stage) blame(ctx context.Context, err error) error {
	var fault *topology.ChartError
	if err = s.env.Blame(ctx, err); errors.As(err, &fault) {
		return chartError{err}
	}
	return err
}

// heap is the active pod's Go heap in MiB; 0, and a note, where it cannot be read, because without
// it a run only knows less.
func (s *stage) heap(ctx context.Context) float64 {
	dialect := s.env.Spec.Dialect
	if dialect.MetricsPort == 0 {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, heapTimeout)
	defer cancel()
	pods, err := s.cluster.Client.CoreV1().Pods(s.env.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: dialect.Selector})
	mib := 0.0
	if err == nil {
		var names []string
		for i := range pods.Items {
			names = append(names, pods.Items[i].Name)
		}
		read := observe.PodMetrics(observe.PodSource{Client: s.cluster.Client}, dialect.MetricsPort)
		mib, err = observe.ActiveHeap(ctx, read, s.env.Namespace, names)
	}
	if err != nil && ctx.Err() == nil {
		s.UI.Note("OpenBao's heap before the seed was not read: " + oneLine(err))
	}
	return mib
}

// heapTimeout bounds reading the heap.
const heapTimeout = 10 * time.Second

func (s *stage) saveDiagnostics(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CleanupTimeout)
	defer cancel()
	dir := filepath.Join(s.dir, "diagnostics", s.env.Spec.Topology)
	_ = s.step(ctx, s.env.Spec.Topology, "diagnostics", func(ctx context.Context) error {
		return s.env.Diagnose(ctx, dir,
			s.redact())
	})
}
