package chart

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Client installs charts into one namespace of one cluster.
type Client struct {
	namespace string
	config    *action.Configuration
	// HookTimeout bounds each hook of a chart; 0 means DefaultHookTimeout.
	HookTimeout time.Duration
}

// DefaultHookTimeout is how long a chart's hook Job may take.
const DefaultHookTimeout = 5 * time.Minute

// NewClient connects Helm to a cluster. Its own log goes to log, one line each; nil drops it.
func NewClient(kubeconfig, kubeContext, namespace string, log func(string)) (*Client, error) {
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Namespace = &kubeconfig, &namespace
	if kubeContext != "" {
		flags.Context = &kubeContext
	}
	flags.WrapConfigFn = func(config *rest.Config) *rest.Config {
		config.QPS, config.Burst, config.WarningHandler = 100, 200, rest.NoWarnings{}
		return config
	}
	config := new(action.Configuration)
	debug := func(format string, args ...any) {
		if log != nil {
			log("helm: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
		}
	}
	if err := config.Init(flags, namespace, "secret", debug); err != nil {
		return nil, exit.Environmentf("helm in namespace "+namespace, "", "%w", err)
	}
	return &Client{namespace: namespace, config: config}, nil
}

// Install installs a chart as a new release. It waits for the chart's hooks and not for its pods:
// Helm's idea of readiness is not OpenBao's.
func (c *Client) Install(ctx context.Context, release string, chart *Chart, values map[string]any) error {
	install := action.NewInstall(c.config)
	install.ReleaseName, install.Namespace, install.Timeout = release, c.namespace, c.timeout()
	fresh, err := chart.copy()
	if err != nil {
		return err
	}
	if _, err := install.RunWithContext(ctx, fresh, values); err != nil {
		return c.explain(ctx, "helm install "+release, err)
	}
	return nil
}

// Upgrade upgrades a release to the chart with exactly these values.
func (c *Client) Upgrade(ctx context.Context, release string, chart *Chart, values map[string]any) error {
	upgrade := action.NewUpgrade(c.config)
	upgrade.Namespace, upgrade.Timeout, upgrade.ResetValues, upgrade.MaxHistory = c.namespace, c.timeout(), true, 10
	fresh, err := chart.copy()
	if err != nil {
		return err
	}
	if _, err := upgrade.RunWithContext(ctx, release, fresh, values); err != nil {
		return c.explain(ctx, "helm upgrade "+release, err)
	}
	return nil
}

// Rollback takes a release back to the revision before its current one.
func (c *Client) Rollback(ctx context.Context, release string) error {
	rollback := action.NewRollback(c.config)
	rollback.Timeout, rollback.MaxHistory = c.timeout(), 10
	if err := rollback.Run(release); err != nil {
		return c.explain(ctx, "helm rollback "+release, err)
	}
	return nil
}

// Uninstall removes a release; one that is gone is no error.
func (c *Client) Uninstall(ctx context.Context, release string) error {
	uninstall := action.NewUninstall(c.config)
	uninstall.Timeout, uninstall.IgnoreNotFound = c.timeout(), true
	_, err := uninstall.Run(release)
	if err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return c.explain(ctx, "helm uninstall "+release, err)
	}
	return nil
}

func (c *Client) timeout() time.Duration {
	if c.HookTimeout > 0 {
		return c.HookTimeout
	}
	return DefaultHookTimeout
}

func (c *Client) explain(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return exit.Environmentf(what, "the diagnostics in the run directory hold the pods' logs and events", "%w", err)
}
