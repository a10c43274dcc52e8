// Package topology installs an OpenBao chart the way GitLab deploys it: in the cloud-native
// topology with PostgreSQL as a pod, or in the cloud-native hybrid topology with PostgreSQL on a
// machine outside the cluster. It knows when the installation is ready and how to remove it.
package topology

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// The topologies, as flags and results name them.
const (
	CloudNative       = "cloud-native"
	CloudNativeHybrid = "cloud-native-hybrid"
)

// Names lists the topologies in the order in which a run takes them.
func Names() []string { return []string{CloudNative, CloudNativeHybrid} }

// short is what object names are made of.
var short = map[string]string{CloudNative: "cn", CloudNativeHybrid: "cnh"}

func namespaceOf(topology string) string { return "steamer-" + short[topology] }

// OwnerLabel marks every namespace and container that Steamer makes; its value is the ID of the
// run.
const OwnerLabel = cluster.RunLabel

// Spec says what to install.
type Spec struct {
	Topology  string
	Run       string // ID of the run, for the owner labels
	Chart     *chart.Chart
	Dialect   *Dialect
	Base      map[string]any // values below the dialect's, such as a file of the chart's ci directory
	Overrides map[string]any // the user's values, over the dialect's
	Resources Resources      // of each OpenBao pod
	Images    Images
	Fixtures  Fixtures
	NodePort  int // of the active Service; 0 for a ClusterIP Service, which is reached by a port-forward
	// Suffix ends the names of the environment's namespaces and machine, so that two environments
	// of one topology can be on one cluster, e.g. "-b"; they need node ports or host ports of
	// their own. Empty for the only one.
	Suffix string
	// ReadyTimeout bounds how long the installed chart may take until it is ready; 0 is
	// InstallTimeout.
	ReadyTimeout time.Duration
	// TLS has OpenBao serve its API and its metrics over TLS, by a certificate that is made for
	// the installation.
	TLS     bool
	Signing gitlab.Algorithm // of the issuer's tokens; empty is RS256, as GitLab signs
}

// Images are the references of what is installed.
type Images struct{ OpenBao, PostgreSQL, GitLabStub string }

// Fixtures are the charts that surround the chart under test.
type Fixtures struct{ PostgreSQL, GitLabStub *chart.Chart }

// Environment is a topology on a cluster.
type Environment struct {
	Spec      Spec
	Cluster   *cluster.Cluster
	Engine    *engine.Engine // runs PostgreSQL of the hybrid topology; nil where there is none
	Issuer    *gitlab.Issuer
	Address   string // loopback URL that leads to the active Service
	Namespace string // of OpenBao and the stub
	Log       func(string)

	values    map[string]any // what OpenBao was installed with
	bootstrap map[string]any // laid over them for the first step of an install; nil where one step is enough
	ownPort   bool           // the chart cannot fix the node port, so a Service beside its own has it
	helm      *chart.Client
	forward   *cluster.Forward // nil where a NodePort leads to the Service
	unsealer  *unsealer        // nil where the server unseals itself
	deployed  int              // pods that the release was last seen to ask for
	mirrors   bool             // OpenBao serves in Vault's place
	listener  *authority       // of the API's certificate; nil without Spec.TLS
	files     []byte           // tar of what the machine gets at each start; secret
}

// New prepares an environment without touching anything: names, the issuer's key, and the values,
// with which it renders the chart to check that chart and dialect fit. The error is an
// exit.Invalid error.
func New(c *cluster.Cluster, e *engine.Engine, spec Spec, log func(string)) (*Environment, error) {
	env := &Environment{Spec: spec, Cluster: c, Engine: e, Namespace: namespaceOf(spec.Topology) + spec.Suffix, Log: log}
	if c != nil {
		env.Address = fmt.Sprintf("%s://127.0.0.1:%d", env.Scheme(), c.HostPort)
	}
	issuer, err := gitlab.NewIssuer(env.serviceURL("gitlab-stub", 8080), cmp.Or(spec.Signing, gitlab.RS256))
	if err != nil {
		return nil, err
	}
	env.Issuer = issuer
	if err := env.resolve(); err != nil {
		return nil, err
	}
	return env, nil
}

// resolve derives from the Spec what the chart is installed with. The error is of code
// exit.Invalid.
func (e *Environment) resolve() error {
	spec := e.Spec
	if err := spec.Dialect.notApplicable(spec.Topology); err != nil {
		return err
	}
	values, err := spec.Dialect.Render(e.inputs())
	if err != nil {
		return err
	}
	if values, err = e.serveTLS(values); err != nil {
		return err
	}
	e.values = chart.Merge(chart.Merge(spec.Base, values), spec.Overrides)
	active, err := e.fit(e.values)
	if err != nil {
		return err
	}
	e.ownPort = spec.NodePort != 0
	for _, port := range active.Spec.Ports {
		if port.NodePort == spec.NodePort {
			e.ownPort = false
		}
	}
	e.bootstrap, err = spec.Dialect.RenderBootstrap(e.inputs())
	if err == nil && e.bootstrap != nil {
		_, err = e.fit(chart.Merge(e.values, e.bootstrap))
	}
	return err
}

// Audience is the claim aud of every JWT: OpenBao's URL as GitLab knows it.
func (e *Environment) Audience() string {
	return e.Scheme() + "://openbao." + e.Namespace + ".svc.cluster.local"
}

// DatabaseNamespace is where PostgreSQL's pod is in the cloud-native topology, and the namespace
// itself in the hybrid one.
func (e *Environment) DatabaseNamespace() string {
	if e.Spec.Topology == CloudNative {
		return e.Namespace + "-db"
	}
	return e.Namespace
}

func (e *Environment) serviceURL(service string, port int) string {
	return fmt.Sprintf("http://%s.%s.svc.cluster.local:%d", service, e.Namespace, port)
}

func (e *Environment) inputs() Inputs {
	repository, tag := splitRef(e.Spec.Images.OpenBao)
	in := Inputs{
		Chart: factsOf(e.Spec.Chart),
		Image: ImageRef{repository, tag}, ServiceType: "ClusterIP", Issuer: e.Issuer.URL(), Audience: e.Audience(),
		Resources: e.Spec.Resources,
		Database: Database{
			Host: "postgresql." + e.DatabaseNamespace() + ".svc.cluster.local", Port: 5432, Name: "openbao", User: "openbao",
			SSLMode: "disable", PasswordSecret: passwordSecret,
		},
	}
	if e.Spec.TLS {
		in.TLSSecret = listenerSecret
	}
	if e.Spec.NodePort != 0 {
		in.ServiceType, in.NodePort = "NodePort", e.Spec.NodePort
	}
	if e.Spec.Topology == CloudNativeHybrid {
		in.Database.SSLMode, in.Database.CASecret = "verify-full", caSecret
	}
	return in
}

// splitRef separates a reference into repository and tag.
func splitRef(ref string) (repository, tag string) {
	if i := strings.LastIndex(ref, ":"); i > strings.LastIndex(ref, "/") {
		return ref[:i], ref[i+1:]
	}
	return ref, ""
}

// Names of the objects that Steamer makes beside the charts.
const (
	passwordSecret = "openbao-postgresql"
	caSecret       = "openbao-postgresql-ca"
	listenerSecret = "openbao-listener-tls"
)

// Install installs the stub, PostgreSQL and OpenBao, and waits until OpenBao is ready. On an error
// what was made stays, for diagnostics; Remove removes it. A *ChartError is the chart's fault;
// anything else its surroundings'.
func (e *Environment) Install(ctx context.Context) error {
	if err := e.createNamespaces(ctx); err != nil {
		return err
	}
	helm, err := chart.NewClient(e.Cluster.Kubeconfig, e.Cluster.Context, e.Namespace, nil)
	if err != nil {
		return err
	}
	helm.HookTimeout = e.Spec.ReadyTimeout
	e.helm = helm
	if e.Spec.NodePort == 0 {
		if e.forward, err = e.Cluster.ForwardService(ctx, e.Namespace, e.Spec.Dialect.ActiveService,
			e.healthProbe()); err != nil {
			return err
		}
	}
	if err := e.installStub(ctx); err != nil {
		return err
	}
	if err := e.installDatabase(ctx); err != nil {
		return err
	}
	if err := e.createTables(ctx); err != nil {
		return err
	}
	if err := e.createExtraSecrets(ctx); err != nil {
		return err
	}
	if err := e.createListenerSecret(ctx); err != nil {
		return err
	}
	if err := e.installChart(ctx); err != nil {
		if ctx.Err() != nil {
			return err
		}
		if cluster.Forbidden(err) != "" { // nobody gave the user the right: that says nothing about the chart
			return exit.Environmentf("cluster "+e.Cluster.Name, "bind the user to a role that allows it", "%w", err)
		}
		return e.Blame(ctx, err)
	}
	return nil
}

// installChart installs the chart under test and waits until OpenBao is ready.
func (e *Environment) installChart(ctx context.Context) error {
	e.Log("installing chart " + e.Spec.Chart.Info().Name + " " + e.Spec.Chart.Info().Version)
	if err := e.install(ctx, e.Spec.Chart, e.values); err != nil {
		return err
	}
	if e.Kind() == openbao.KindVault {
		if err := e.initialise(ctx); err != nil {
			return err
		}
	}
	return e.AwaitReady(ctx)
}

// install installs a chart, in two steps where the dialect wants that.
func (e *Environment) install(ctx context.Context, c *chart.Chart, values map[string]any) error {
	if e.bootstrap != nil {
		e.Log("with the dialect's bootstrap values first")
	}
	err := e.learning(ctx, func() error {
		return e.helm.Install(ctx, e.Spec.Dialect.Release, c,
			chart.Merge(values, e.bootstrap))
	})
	if err != nil {
		return err
	}
	if e.ownPort {
		if err := e.exposeActive(ctx); err != nil {
			return err
		}
	}
	if e.bootstrap == nil {
		return nil
	}
	if err := e.AwaitReady(ctx); err != nil {
		return err
	}
	e.Log("upgrading to the values of the topology")
	return e.upgrade(ctx, c, values)
}

// upgrade upgrades the release. Where the chart leaves the replacement of its pods to an operator,
// that is done too.
func (e *Environment) upgrade(ctx context.Context, c *chart.Chart, values map[string]any) error {
	err := e.learning(ctx, func() error { return e.helm.Upgrade(ctx, e.Spec.Dialect.Release, c, values) })
	if err != nil {
		return err
	}
	return e.replaceOutdated(ctx)
}

func (e *Environment) installStub(ctx context.Context) error {
	jwks, err := e.Issuer.JWKS()
	if err != nil {
		return err
	}
	if err := e.createSecret(ctx, e.Namespace, auditSecret, map[string][]byte{auditKey: []byte(rand.Text())}); err != nil {
		return err
	}
	e.Log("installing the GitLab stub")
	return e.helm.Install(ctx, "gitlab-stub", e.Spec.Fixtures.GitLabStub, e.stubValues(string(jwks)))
}

// stubValues are the values of the stub, which serves these public keys.
func (e *Environment) stubValues(jwks string) map[string]any {
	repository, tag := splitRef(e.Spec.Images.GitLabStub)
	return map[string]any{
		"image": map[string]any{"repository": repository, "tag": tag}, "issuer": e.Issuer.URL(), "jwks": jwks,
		"auditToken": map[string]any{"secret": auditSecret, "key": auditKey},
	}
}
