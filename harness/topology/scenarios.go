package topology

import (
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Scenarios is the installed environment as scenarios see it, with the tenants that were
// provisioned in it. Its release may not be changed unless the caller sets Installer.
func (e *Environment) Scenarios(tenants []gitlab.Tenant, seed string) *scenario.Env {
	dialect := e.Spec.Dialect
	env := &scenario.Env{
		Topology: e.Spec.Topology, Kind: e.Kind(), Address: e.Address, CA: e.CA(),
		Issuer: e.Issuer, Audience: e.Audience(), Tenants: tenants, Seed: seed,
		Kube: e.Cluster.Client, Namespace: e.Namespace, Release: dialect.Release, Selector: dialect.Selector,
		Active: dialect.ActiveService, Pods: e.deployed,
		Container: dialect.Container, Unseal: dialect.UnsealKey, Database: e.Database(), Processes: e.Processes(),
		GitLab:    e.GitLab(),
		AuditSink: e.AuditSink(), Metrics: dialect.MetricsPort, Surroundings: e.Fault,
	}
	if dialect.Raft {
		env.Database = nil
	}
	if database := e.DatabaseNamespace(); database != e.Namespace {
		env.Others = []string{database}
	}
	return env
}
