// Package plan describes a run completely before it touches anything: what to install, how to
// check and load it, and where. A plan is read from YAML and from flags, and printed by --dry-run.
package plan

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Kind is the kind of a plan file.
const Kind = "Plan"

// Plan is one run. Paths are relative to the working directory.
type Plan struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Topologies []string `json:"topologies"` // one or both of topology.Names, in this order
	// TLS has OpenBao serve its API and metrics over TLS, by a certificate made for the run.
	TLS     bool   `json:"tls,omitempty"`
	Chart   string `json:"chart"`             // directory, .tgz, oci:// reference, or the chart's name in Repo
	Repo    string `json:"repo,omitempty"`    // URL of a Helm repository
	Version string `json:"version,omitempty"` // exact version of a chart in Repo or at an oci:// reference
	// how the chart is told what the topology needs: a built-in one, or a file
	Dialect string   `json:"dialect"`
	Values  []string `json:"values,omitempty"` // values files, later ones win
	Set     []string `json:"set,omitempty"`    // key.path=value, after the files; values are YAML
	Profile string   `json:"profile"`          // name in perf/profiles, or a path
	Tier    string   `json:"tier"`             // row of GitLab's sizing table, by its fetches per second
	Rate    float64  `json:"rate,omitempty"`   // fetches per second instead of the tier's; 0: the profile's
	// Duration is how long the load is measured instead of the profile's duration, 1s to 24h; 0:
	// the profile's. A profile with stages has none.
	Duration document.Duration `json:"duration,omitempty"`
	// or what an instance of this size, e.g. 10k, means with this share of jobs that
	Size     string  `json:"size,omitempty"`
	Adoption float64 `json:"adoption,omitempty"` // fetch secrets, above 0 to 1: GitLab's sizing says the rate
	Mode     string  `json:"mode,omitempty"`     // what the load does, instead of the profile's
	// repeat failed calls as GitLab Runner does, or not; nil: as the profile says
	Retries   *bool  `json:"retries,omitempty"`
	Tenants   int    `json:"tenants"`   // GitLab projects to provision, 1 to 10000
	Secrets   int    `json:"secrets"`   // secrets of each, 1 to 100 as in GitLab
	Scenarios string `json:"scenarios"` // core, all, none, or a regular expression over scenario IDs
	// Subject keeps of them those of one subject: chart, server or gitlab; empty: all.
	Subject result.Subject `json:"subject,omitempty"`
	Repeat  int            `json:"repeat,omitempty"`  // how often the scenarios run, 0 to 1000; 0 is once
	Shuffle uint64         `json:"shuffle,omitempty"` // seed of another order for each round; 0 keeps the order
	Shards  Shards         `json:"shards"`            // installations of each topology that share its scenarios
	// Previous is the chart's previous release, a directory or .tgz, for the scenario that
	// upgrades from it; empty: the scenario is skipped.
	Previous string `json:"previous,omitempty"`
	Load     bool   `json:"load"` // drive load
	// InCluster drives the load by pods of the cluster under test; nil: by a process beside
	// Steamer.
	InCluster *InCluster `json:"inCluster,omitempty"`
	// ReadyTimeout bounds how long the installed chart may take until it is ready; 0 is
	// topology.InstallTimeout.
	ReadyTimeout document.Duration `json:"readyTimeout,omitempty"`
	Cluster      ClusterPlan       `json:"cluster"`
	// Images are references that replace the images Steamer builds: openbao, postgresql,
	// gitlab-stub, vault, and node, which sets the version of Kubernetes.
	Images map[string]string `json:"images,omitempty"`
	Output string            `json:"output"` // directory of run directories
	SLO    string            `json:"slo"`    // file of objectives
	// EnvironmentLatency is added to every latency limit: what the way between client and OpenBao
	// costs, 0 to 1s.
	EnvironmentLatency document.Duration `json:"environmentLatency,omitempty"`
}

// ClusterPlan says which cluster a run uses.
type ClusterPlan struct {
	Name   string            `json:"name,omitempty"` // empty: one that nobody has is chosen
	Config string            `json:"config"`         // kind configuration
	Port   int               `json:"port,omitempty"` // loopback port that leads to OpenBao; 0: a free one is chosen
	Reuse  bool              `json:"reuse"`          // use a kept cluster of mine (of this name), else make it
	Keep   bool              `json:"keep"`           // leave the cluster and the engine running
	TTL    document.Duration `json:"ttl"`            // after which cluster gc may remove it, if no process uses it
	// Context and Kubeconfig name a cluster that is not Steamer's; either makes the run use it
	// instead of kind.
	Context    string `json:"context,omitempty"`
	Kubeconfig string `json:"kubeconfig,omitempty"`
}

// Existing reports whether the run uses a cluster that is not Steamer's.
func (c ClusterPlan) Existing() bool { return c.Context != "" || c.Kubeconfig != "" }

// previousRelease is the last released archive of charts/openbao, relative to the source tree.
const previousRelease = "scenarios/testdata/openbao-0.1.0.tgz"

// Default is the plan of "steamer run" without flags, for the source tree at root.
func Default(root string) Plan {
	return Plan{
		APIVersion: result.APIVersion, Kind: Kind, Topologies: topology.Names(),
		Chart: filepath.Join(root, "charts/openbao"), Dialect: "gitlab", Profile: "smoke", Tier: "12",
		Tenants: gitlab.DefaultTenants, Secrets: gitlab.DefaultSecrets, Load: true,
		Scenarios: scenario.Core, Previous: filepath.Join(root, previousRelease),
		Cluster: ClusterPlan{
			Config: filepath.Join(root, "kind-config.yaml"), TTL: document.Duration(4 * time.Hour),
		},
		Output: "runs", SLO: filepath.Join(root, "perf/slo.yaml"),
	}
}

var codec = document.Codec[Plan]{
	APIVersion: result.APIVersion, Kind: Kind, YAML: true, Input: "--plan",
	Hint: "steamer run --dry-run prints a complete plan",
}

// Read overlays a plan file on base. Errors are of code exit.Invalid, as of a field that does not
// exist.
func Read(path string, base Plan) (Plan, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return base, exit.Invalidf("--plan "+path, "name a file that steamer run --dry-run printed", "%w", err)
	}
	err = codec.DecodeInto(path, data, &base)
	return base, err
}

// Select returns the scenarios of a list that the plan asks for. Errors are of code exit.Invalid,
// as where none is left.
func (p Plan) Select(list []scenario.Scenario) ([]scenario.Scenario, error) {
	list, err := scenario.Select(list, p.Scenarios)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if list, err = scenario.Of(list, p.Subject); err == nil && len(list) == 0 {
		err = exit.Invalidf("--subject "+string(p.Subject), "steamer test --list shows the subject of each scenario",
			"no scenario of --scenarios %s has it", p.Scenarios)
	}
	return list, err
}

// YAML prints the plan, secrets withheld: where a value of Set is one, somebody has to put it back
// before the plan can be used.
func (p Plan) YAML() (string, error) {
	p.Set = slices.Clone(p.Set)
	for i, assignment := range p.Set {
		p.Set[i] = secret.Assignment(assignment)
	}
	data, err := yaml.Marshal(p)
	return string(data), err
}

// Resolved is a plan whose files have been read and checked.
type Resolved struct {
	Plan
	Profile   load.Profile
	Tier      load.Tier
	Chart     *chart.Chart
	Dialect   *topology.Dialect
	Overrides map[string]any
	Fixtures  topology.Fixtures
	// Objectives are what the plan's file of objectives has.
	Objectives *judge.SLO
}

// Source names the chart under test.
func (p Plan) Source() chart.Source {
	return chart.Source{Name: p.Chart, Repo: p.Repo, Version: p.Version}
}

// Resolve validates the plan and reads what it names. root is the source tree. The network is used
// only for a chart that is elsewhere, after everything else was found good. All errors are of code
// exit.Invalid, except the context's own.
func (p Plan) Resolve(ctx context.Context, root string, fetch chart.Fetcher) (*Resolved, error) {
	r := &Resolved{Plan: p}
	if err := p.checkNumbers(); err != nil {
		return nil, err
	}
	var err error
	if r.Objectives, err = judge.ReadSLO(p.SLO); err != nil { // a run that could not be judged at its end should not start
		return nil, err
	}
	if len(r.Objectives.Outages) == 0 { // written before there were budgets
		shipped, err := judge.ReadSLO(filepath.Join(root, "perf/slo.yaml"))
		if err != nil {
			return nil, err
		}
		r.Objectives.Outages = shipped.Outages
	}
	if err = r.resolveWorkload(root); err != nil {
		return nil, err
	}
	if r.Dialect, err = topology.DialectNamed(p.Dialect); err != nil {
		return nil, err
	}
	if err = r.fitServer(); err != nil {
		return nil, err
	}
	if r.Overrides, err = chart.ReadOverrides(p.Values, p.Set); err != nil {
		return nil, err
	}
	if p.Previous != "" {
		if _, err = chart.Load(p.Previous); err != nil {
			return nil, err
		}
	}
	if r.Fixtures.PostgreSQL, err = chart.Load(filepath.Join(root, "charts/postgresql")); err != nil {
		return nil, err
	}
	if r.Fixtures.GitLabStub, err = chart.Load(filepath.Join(root, "charts/gitlab-stub")); err != nil {
		return nil, err
	}
	r.Chart, err = fetch.Load(ctx, p.Source())
	r.leaveUndecided()
	return r, err
}

func (p Plan) checkNumbers() error {
	if p.ReadyTimeout < 0 {
		return exit.Invalidf("--ready-timeout "+time.Duration(p.ReadyTimeout).String(), "use a positive duration such as 5m",
			"it is negative")
	}
	if p.Cluster.TTL <= 0 {
		return exit.Invalidf("cluster.ttl", "use a positive duration such as 4h", "%s is not positive",
			time.Duration(p.Cluster.TTL))
	}
	if p.Shards < 0 || p.Shards > MaxShards {
		return exit.Invalidf("--shards "+p.Shards.String(), fmt.Sprintf("use auto, or 1 to %d", MaxShards),
			"it is out of range")
	}
	return cmp.Or(CheckTopologies(p.Topologies),
		Bound("tenants", p.Tenants, 1, 10000), Bound("secrets", p.Secrets, 1, 100), Bound("port", p.Cluster.Port, 0, 65535),
		Bound("repeat", p.Repeat, 0, 1000), Bound("environment-latency", time.Duration(p.EnvironmentLatency), 0, time.Second),
		p.checkRate(), p.InCluster.Check(), p.checkImages())
}

// CheckTopologies refuses names that are none of topologies, or that are there twice. Errors are
// of code exit.Invalid.
func CheckTopologies(names []string) error {
	if len(names) == 0 {
		return exit.Invalidf("--topology", "choose from "+strings.Join(topology.Names(), ", "), "no topology is named")
	}
	for i, name := range names {
		if !slices.Contains(topology.Names(), name) {
			return exit.Invalidf("--topology "+name, "choose from "+strings.Join(topology.Names(), ", ")+" or all",
				"there is no such topology")
		}
		if slices.Contains(names[:i], name) {
			return exit.Invalidf("--topology "+name, "name each topology once", "it is named twice")
		}
	}
	return nil
}

// Bound refuses a value of a flag that is below least or above most. Errors are of code
// exit.Invalid.
func Bound[T int | time.Duration](flag string, value, least, most T) error {
	if value < least || value > most {
		return exit.Invalidf(fmt.Sprintf("--%s %v", flag, value), fmt.Sprintf("use %v to %v", least, most),
			"it is out of range")
	}
	return nil
}
