// Package kind has targets on a cluster: a chart installed in a topology, with the database and
// the tenants that belong to it. The cluster is Steamer's own, made by kind, or an existing one.
package kind

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"

	"gitlab.com/steamer/steamer/harness/follow"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/observe"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/delay"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Options say what a target is and how it is loaded.
type Options struct {
	Spec    topology.Spec    // from Platform.Spec
	Secrets int              // of each tenant, 1 to 100
	Recipes []*gitlab.Recipe // by which tenants are provisioned, in turn; nil takes gitlab.RecipesFor
	Dir     string           // existing directory for the logs of k6, and for what scenarios save
	// InCluster drives the load by pods of the cluster; nil: by a process beside Steamer.
	InCluster *plan.InCluster
	// Previous is the chart's previous release, for the scenario that upgrades from it; may be
	// empty.
	Previous string
	// Steady observes the target all the time and not job by job: to begin takes seconds, which
	// jobs of a few seconds do not have. Then only containers are observed.
	Steady bool
	// Logs keeps what containers write from the install on, for the scenarios that search it. The
	// function that Suite returns ends that, so that no load pays for it.
	Logs bool
	// Last says that nothing is installed on the platform afterwards. What the target made may
	// then go with the cluster.
	Last bool
	// Label begins each line of progress, to tell targets apart; may be empty.
	Label string
}

// Target is a chart on a cluster. It implements target.Target, target.Restarter and
// target.Delayer.
type Target struct {
	options  Options
	platform *platform.Platform
	env      *topology.Environment
	changer  *topology.Changer
	tenancy  target.Tenancy
	info     target.Info
	observer *observe.Observer // with Options.Steady
	proxy    *delay.Proxy      // nil until SetDelay
	logs     *follow.Pods      // nil without Options.Logs, and after the suite
	closed   bool
}

var (
	_ target.Target    = (*Target)(nil)
	_ target.Restarter = (*Target)(nil)
	_ target.Delayer   = (*Target)(nil)
)

// New prepares a target without touching the cluster. Install it next. The error is of code
// exit.Invalid.
func New(p *platform.Platform, o Options) (*Target, error) {
	t := &Target{options: o, platform: p}
	if t.options.Recipes == nil {
		var err error
		if t.options.Recipes, err = gitlab.RecipesFor(o.Spec.Dialect.Server); err != nil {
			return nil, err
		}
	}
	env, err := topology.New(p.ClusterFor(o.Spec), p.Engine, o.Spec, t.note)
	if err != nil {
		return nil, err
	}
	t.env, t.changer = env, env.Changer()
	t.tenancy = target.Tenancy{
		Issuer: env.Issuer, Audience: env.Audience(), Seed: rand.Text(), Recipes: t.options.Recipes, Secrets: o.Secrets,
		Progress: func(done, total int) { p.Steps.UI.Progress(o.Label+"provisioned tenants", done, total) },
	}
	t.info = target.Info{
		Name: o.Spec.Topology, Chart: o.Spec.Chart.InfoWith(o.Spec.Overrides), Images: t.images(),
		Versions: map[string]string{"kubernetes": p.Cluster.Version},
	}
	t.info.Config = t.info.Chart.Values
	return t, nil
}

// Open makes a target and installs it. What it made is removed where that fails.
func Open(ctx context.Context, p *platform.Platform, o Options) (*Target, error) {
	t, err := New(p, o)
	if err != nil {
		return nil, err
	}
	if err = t.Install(ctx); err != nil {
		return nil, errors.Join(err, t.Close(ctx))
	}
	return t, nil
}

// images are the references of what the platform has, with the digest of what Steamer built, and
// of what the target has in their place.
func (t *Target) images() map[string]string {
	all := map[string]string{}
	for name, image := range t.platform.Images {
		all[name] = image.Ref
		if image.Digest != "" { // of an image that Steamer built; the cluster pulls others
			all[name] += "@" + image.Digest
		}
	}
	server := images.OpenBao
	if _, ok := t.platform.Images[images.Vault]; ok {
		server = images.Vault
	}
	for name, own := range map[string]string{
		server: t.options.Spec.Images.OpenBao, images.PostgreSQL: t.options.Spec.Images.PostgreSQL,
	} {
		if t.platform.Images[name].Ref != own {
			all[name] = own
		}
	}
	return all
}

// Install brings the chart up. A target.UnfitError is the chart's fault. After an error what was
// made stays, for Diagnose; Close removes it.
func (t *Target) Install(ctx context.Context) error {
	if t.options.Logs {
		t.logs = follow.Start(ctx, t.platform.Cluster.Client, t.Namespaces()...)
	}
	if err := t.env.Install(ctx); err != nil {
		return unfit(err)
	}
	if err := t.versions(ctx); err != nil {
		return err
	}
	if t.options.Steady {
		return t.observe(ctx)
	}
	return nil
}

// stopLogs ends following the logs.
func (t *Target) stopLogs() {
	if t.logs != nil {
		t.logs.Stop()
		t.logs = nil
	}
}

// versions asks the installed software what it is.
func (t *Target) versions(ctx context.Context) error {
	client := t.env.Client()
	defer client.Close()
	health, err := client.Health(ctx)
	if err != nil {
		return t.blame(ctx, fmt.Errorf("health of %s: %w", t.env.Kind().Title(), err))
	}
	t.info.Versions[t.env.Serves().String()] = health.Version
	t.info.NotMeasured = t.unlike(health.Version)
	running, err := t.env.RunningImages(ctx)
	if err != nil {
		t.note(err.Error()) // it is only reported
	}
	maps.Copy(t.info.Images, running)
	if t.env.Spec.Dialect.Raft {
		return nil
	}
	version, err := t.env.Database().Query(ctx, "SHOW server_version") // what runs, not what was asked for
	if err != nil {
		t.note("PostgreSQL's version was not read: " + steps.OneLine(err))
		return nil
	}
	t.info.Versions["postgresql"] = version
	return nil
}

// unlike is what a result about Vault's chart does not measure: with another version of the server
// that answers.
func (t *Target) unlike(version string) []string {
	c := t.info.Chart
	switch {
	case t.env.Kind() != openbao.KindVault:
		return nil
	case t.env.Serves() != openbao.KindVault:
		return []string{fmt.Sprintf("Vault: there is no Vault image. OpenBao %s serves in its place, so all that this "+
			"result says is about the mechanics of chart %s %s; nothing is about Vault: not its latency, capacity, seal, "+
			"raft or health codes", version, c.Name, c.Version)}
	}
	return []string{fmt.Sprintf("GitLab's recipes, namespaces and inline authentication: Vault has none of them. "+
		"Tenants are mounts and policies, jobs log in, and what this result calls OpenBao is Vault %s", version)}
}

// blame returns a target.UnfitError for a failure of the chart, and an error of the environment
// where something is wrong with what surrounds it.
func (t *Target) blame(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return unfit(t.env.Blame(ctx, err))
}

func unfit(err error) error {
	var fault *topology.ChartError
	if errors.As(err, &fault) {
		return target.UnfitError{Err: err}
	}
	return err
}

func (t *Target) note(line string) { t.platform.Steps.UI.Note(t.options.Label + line) }

// Info describes what is installed.
func (t *Target) Info() target.Info {
	info := t.info
	info.Versions, info.Images = maps.Clone(t.info.Versions), maps.Clone(t.info.Images)
	if t.proxy != nil {
		info.Delay = t.proxy.Delay()
	}
	return info
}

// Namespaces are those that hold what is installed.
func (t *Target) Namespaces() []string {
	if database := t.env.DatabaseNamespace(); database != t.env.Namespace {
		return []string{t.env.Namespace, database}
	}
	return []string{t.env.Namespace}
}

// Close removes what Install made. On an existing cluster it waits until that is gone; on a
// cluster of Steamer's own the next install waits, if it has to.
func (t *Target) Close(ctx context.Context) error {
	if t.proxy != nil {
		t.proxy.Stop()
		t.proxy = nil
	}
	if t.observer != nil {
		t.observer.Stop()
		t.observer = nil
	}
	t.stopLogs()
	if t.closed {
		return nil
	}
	t.closed = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), steps.CleanupTimeout)
	defer cancel()
	if t.options.Last && t.platform.Ends() { // the cluster goes as a whole, and someone waits
		return t.env.RemoveMachine(ctx)
	}
	err := t.env.Remove(ctx)
	if t.platform.Existing() {
		err = errors.Join(err, t.env.AwaitRemoved(ctx))
	}
	return err
}

// AwaitRemoved waits until what Close has begun to remove is gone.
func (t *Target) AwaitRemoved(ctx context.Context) error { return t.env.AwaitRemoved(ctx) }

// Diagnose saves logs, events and the state of what is installed in a directory, secrets withheld.
func (t *Target) Diagnose(ctx context.Context, dir string) error {
	return t.env.Diagnose(ctx, dir, t.env.Scenarios(t.tenancy.Tenants(), t.tenancy.Seed).Redactor().Redact)
}

// LearnSecrets has the process withhold what Secrets of the target's namespaces hold by now.
func (t *Target) LearnSecrets(ctx context.Context) error { return t.env.LearnSecrets(ctx) }
