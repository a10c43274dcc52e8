package topology

import (
	"context"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Changer changes an environment's release for scenarios and brings its own values back
// afterwards.
type Changer struct {
	env     *Environment
	adopted map[string]any // values that were added to the environment's own
	changed bool
}

var _ scenario.Installer = (*Changer)(nil)

// Changer returns what scenarios change the release through. The environment must have been
// installed.
func (e *Environment) Changer() *Changer { return &Changer{env: e} }

// Upgrade implements scenario.Installer.
func (c *Changer) Upgrade(ctx context.Context, r scenario.Release) error {
	return c.apply(ctx, r, (*Environment).upgrade)
}

// Install implements scenario.Installer.
func (c *Changer) Install(ctx context.Context, r scenario.Release) error {
	return c.apply(ctx, r, (*Environment).install)
}

// apply installs or upgrades. Another chart than the one under test gets the values that the
// dialect has for it, and its own bootstrap.
func (c *Changer) apply(ctx context.Context, r scenario.Release,
	do func(*Environment, context.Context, *chart.Chart, map[string]any) error,
) error {
	env := c.env
	if r.Chart != "" {
		spec := env.Spec
		var err error
		if spec.Chart, err = chart.Load(r.Chart); err != nil {
			return err
		}
		if env, err = env.with(spec); err != nil {
			return err
		}
		env.values = chart.Merge(env.values, c.adopted)
	}
	c.changed = c.changed || r.Chart != "" || len(r.Values) > 0
	return do(env, ctx, env.Spec.Chart, chart.Merge(env.values, r.Values))
}

// Rollback implements scenario.Installer.
func (c *Changer) Rollback(ctx context.Context) error {
	c.changed = true // what the revision before held, only Helm knows
	return c.env.helm.Rollback(ctx, c.env.Spec.Dialect.Release)
}

// Uninstall implements scenario.Installer.
func (c *Changer) Uninstall(ctx context.Context) error {
	if err := c.env.helm.Uninstall(ctx, c.env.Spec.Dialect.Release); err != nil {
		return err
	}
	return c.env.awaitPods(ctx, c.env.Namespace, c.env.Spec.Dialect.Selector, 0, removeTimeout)
}

// Adopt implements scenario.Installer.
func (c *Changer) Adopt(values map[string]any) {
	c.adopted, c.env.values = chart.Merge(c.adopted, values), chart.Merge(c.env.values, values)
}

// Knows implements scenario.Installer.
func (c *Changer) Knows(change string) bool {
	if change == scenario.ChangeListenerTLS && c.env.Spec.TLS {
		return false // it would replace the certificate that the whole run trusts
	}
	return c.env.Spec.Dialect.able(change, c.env.Spec.Chart)
}

// Change implements scenario.Installer.
func (c *Changer) Change(change string, with map[string]any) (map[string]any, error) {
	return c.env.Spec.Dialect.Change(change, with)
}

// Render implements scenario.Installer.
func (c *Changer) Render(values map[string]any) (map[string]string, error) {
	return c.env.Spec.Chart.Render(c.env.rendering(), chart.Merge(c.env.values, values))
}

// Restore brings back the chart under test with the environment's own values, if a scenario left
// anything else, and waits until it is ready.
func (c *Changer) Restore(ctx context.Context) error {
	if c.changed {
		c.env.Log("going back to the chart under test with the run's own values")
		if err := c.Upgrade(ctx, scenario.Release{}); err != nil {
			return err
		}
		c.changed = false
	}
	return c.env.AwaitReady(ctx)
}
