package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
)

// planFlags are the flags that make a plan. Each is bound to a field of it, and replaces what the
// plan file says where it is given.
type planFlags struct {
	plan     plan.Plan // the defaults with what flags say
	defaults plan.Plan // of the command
	all      *pflag.FlagSet
	file     string
	dryRun   bool

	inCluster  bool
	generators plan.InCluster
}

// newPlanFlags are the flags of a command with scenarios as its default suite.
func newPlanFlags(scenarios string, change func(*plan.Plan)) *planFlags {
	f := &planFlags{plan: plan.Default(".")}
	f.plan.Scenarios = scenarios
	if change != nil {
		change(&f.plan)
	}
	f.defaults, f.all = f.plan, planSet(&f.plan)
	return f
}

// Names of flags that go together.
const (
	chartFlags    = "chart repo chart-version dialect values set ready-timeout"
	kindFlags     = "cluster port reuse keep context kubeconfig"
	clusterFlags  = kindFlags + " image"
	workloadFlags = "size adoption mode duration retries"
	loadFlags     = "profile tier rate " + workloadFlags + " tenants secrets"
)

// Texts of flags about clusters.
const (
	chosenName = "name of the kind cluster (default: one that no other checkout or user has)"
	chosenPort = "loopback port that leads to %s (default: a free one)"
)

// planSet are the flags of all fields of a plan, which has their defaults.
func planSet(p *plan.Plan) *pflag.FlagSet {
	set := pflag.NewFlagSet("plan", pflag.ContinueOnError)
	bindSubject(set, p)
	bindLoad(set, p)
	set.StringVar(&p.Cluster.Name, "cluster", p.Cluster.Name, chosenName)
	set.IntVar(&p.Cluster.Port, "port", p.Cluster.Port, fmt.Sprintf(chosenPort, "OpenBao"))
	set.BoolVar(&p.Cluster.Reuse, "reuse", p.Cluster.Reuse,
		"use a kept cluster of yours that no process uses, of the name of --cluster if that is given, if there is one")
	set.BoolVar(&p.Cluster.Keep, "keep", p.Cluster.Keep, "leave the cluster and the engine running")
	set.StringVar(&p.Cluster.Context, "context", p.Cluster.Context,
		"use the existing cluster of this kubeconfig context instead of kind; cloud-native only")
	set.StringVar(&p.Cluster.Kubeconfig, "kubeconfig", p.Cluster.Kubeconfig,
		"kubeconfig of an existing cluster to use instead of kind")
	set.StringToStringVar(&p.Images, "image", p.Images,
		"NAME=REFERENCE to use instead of the image Steamer builds: openbao, postgresql, gitlab-stub, "+
			"node (a kind node of another Kubernetes), and k6 for --in-cluster on an existing cluster")
	set.StringVar(&p.SLO, "slo", p.SLO, "file of objectives (default: perf/slo.yaml)")
	set.DurationVar((*time.Duration)(&p.EnvironmentLatency), "environment-latency", time.Duration(p.EnvironmentLatency),
		"added to every latency limit: the round trip between client and OpenBao, 0 to 1s")
	set.StringVar(&p.Output, "output-dir", p.Output, "directory that run directories are made in")
	for name, shown := range map[string]string{
		"chart": "", "previous": "", "image": "", "slo": "", "ready-timeout": topology.InstallTimeout.String(),
	} {
		set.Lookup(name).DefValue = shown
	}
	if slices.Equal(p.Topologies, topology.Names()) {
		set.Lookup("topology").DefValue = "[all]"
	}
	return set
}

// bindSubject binds what is tested, and what is tried of it.
func bindSubject(set *pflag.FlagSet, p *plan.Plan) {
	set.StringSliceVar(&p.Topologies, "topology", p.Topologies, "cloud-native, cloud-native-hybrid or all")
	set.BoolVar(&p.TLS, "tls", p.TLS, "have OpenBao serve its API and metrics over TLS, by a certificate made for the run")
	set.StringVar(&p.Chart, "chart", p.Chart,
		"chart under test: directory, .tgz, oci://REGISTRY/PATH/NAME, or its name in --repo (default: charts/openbao)")
	set.StringVar(&p.Repo, "repo", p.Repo,
		"URL of the Helm repository that --chart is in; credentials come from helm's own configuration")
	set.StringVar(&p.Version, "chart-version", p.Version, "exact version of a chart from --repo or oci://")
	set.StringVar(&p.Dialect, "dialect", p.Dialect, "how Steamer sets the values of the chart: "+
		strings.Join(topology.Dialects(), ", ")+", or a file with a dialect")
	set.StringArrayVarP(&p.Values, "values", "f", p.Values, "values file over the dialect's values; repeatable")
	set.StringArrayVar(&p.Set, "set", p.Set, "value over the values files, in helm's --set syntax; repeatable")
	set.DurationVar((*time.Duration)(&p.ReadyTimeout), "ready-timeout", time.Duration(p.ReadyTimeout),
		"how long the installed chart may take until it is ready")
	set.StringVar(&p.Previous, "previous", p.Previous, "previous release of the chart, a directory or .tgz, "+
		"for the upgrade scenario and the gate's comparison (default: that of charts/openbao)")
	set.StringVar(&p.Scenarios, "scenarios", p.Scenarios,
		"core (all except the slow ones), all, none, or a regular expression over scenario IDs")
	set.StringVar((*string)(&p.Subject), "subject", string(p.Subject),
		"only the scenarios about this: chart, server (OpenBao and recipes) or gitlab; empty is all")
	set.IntVar(&p.Repeat, "repeat", p.Repeat, "run the scenarios this many times in a row; 0 is once")
	set.Uint64Var(&p.Shuffle, "shuffle", p.Shuffle,
		"seed of another order for each round, as a run with --shuffle printed it; 0 keeps the order of --list")
	set.Var(&p.Shards, "shards", "how many installations of each topology share its scenarios; auto: as many as there "+
		"is memory for and the scenarios are worth")
}

// bindLoad binds what the load does, how hard, and what it fetches.
func bindLoad(set *pflag.FlagSet, p *plan.Plan) {
	set.StringVar(&p.Profile, "profile", p.Profile, "load profile: a name in perf/profiles or a file")
	set.StringVar(&p.Tier, "tier", p.Tier, "GitLab sizing tier, by its fetches per second: 3, 6, 12, 30, 60, 150")
	set.Float64Var(&p.Rate, "rate", p.Rate, "fetches per second instead of the profile's")
	set.StringVar(&p.Size, "size", p.Size,
		"rate and tier of a GitLab of this size: 1k, 2k, 3k, 5k, 10k, 25k, 50k users; with --adoption")
	set.Float64Var(&p.Adoption, "adoption", p.Adoption,
		"share of CI jobs that fetch secrets, above 0 to 1; fetches/s = Git pulls/s of --size x this share x 3")
	set.StringVar(&p.Mode, "mode", p.Mode, "what the load does instead of the profile's mode: "+
		strings.Join(load.ProfileModes(), ", "))
	set.DurationVar((*time.Duration)(&p.Duration), "duration", time.Duration(p.Duration),
		"how long the load is measured instead of the profile's duration, e.g. 10m; not for profiles with stages")
	set.BoolFunc("retries", "repeat failed calls as GitLab Runner does, or with =false do not, whatever the profile says",
		func(text string) error {
			again, err := strconv.ParseBool(text)
			p.Retries = &again
			return err
		})
	set.IntVar(&p.Tenants, "tenants", p.Tenants, "GitLab projects to provision")
	set.IntVar(&p.Secrets, "secrets", p.Secrets, "secrets of each project")
}

// add adds flags of the plan to a command, by their names with spaces between.
func (f *planFlags) add(c *cobra.Command, title, names string) *pflag.FlagSet {
	return pick(c, f.all, title, names)
}

// addFile adds the flags about the plan itself.
func (f *planFlags) addFile(c *cobra.Command) (file, dryRun *pflag.FlagSet) {
	c.Flags().StringVar(&f.file, "plan", "", "YAML file with a plan, as --dry-run prints it; flags override it")
	file = under(c, "Plan")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "check and print the plan, and stop")
	return file, under(c, "Plan")
}

// addGenerators adds the flags about what drives the load.
func (f *planFlags) addGenerators(c *cobra.Command) *pflag.FlagSet {
	c.Flags().BoolVar(&f.inCluster, "in-cluster", false,
		"drive the load by pods of the cluster instead of a process beside Steamer")
	return bindGenerators(c, &f.generators, 1, "with --in-cluster: ")
}

// bindGenerators binds how many pods drive a load, and what each may use.
func bindGenerators(c *cobra.Command, g *plan.InCluster, parallelism int, when string) *pflag.FlagSet {
	set := c.Flags()
	set.IntVar(&g.Parallelism, "parallelism", parallelism, when+"how many pods share the load")
	set.StringVar(&g.CPU, "generator-cpu", "", when+"CPU limit of each pod that drives load, e.g. 500m (default: none)")
	set.StringVar(&g.Memory, "generator-memory", "1Gi", when+"memory limit of each pod that drives load")
	return under(c, "Load generator")
}

// read finds the source tree and makes the plan: the defaults, then the plan file, then the flags.
func (f *planFlags) read(c *cobra.Command, state *State) (root string, p plan.Plan, err error) {
	if root, err = plan.FindRoot(state.Root); err != nil {
		return "", p, err
	}
	given := c.Flags().Changed
	defaults := plan.Default(root)
	p = defaults
	p.Load, p.Scenarios = f.defaults.Load, f.defaults.Scenarios
	if f.file == "" {
		p.Tier, p.Topologies = f.defaults.Tier, f.defaults.Topologies
	} else if p, err = plan.Read(f.file, p); err != nil {
		return "", p, err
	}
	if given("chart") { // another chart than the plan file's comes from somewhere else
		p.Repo, p.Version = "", ""
	}
	if given("rate") || given("size") || given("adoption") { // one replaces all that the file says of the rate
		p.Rate, p.Size, p.Adoption = 0, "", 0
	}
	again := planSet(&p)
	if err := c.Flags().ParseAll(state.Args, func(flag *pflag.Flag, text string) error {
		if f.all.Lookup(flag.Name) == flag { // the command may have another of the same name
			return again.Set(flag.Name, text)
		}
		return nil
	}); err != nil {
		return "", p, err
	}
	if given("topology") && slices.Equal(p.Topologies, []string{"all"}) {
		p.Topologies = topology.Names()
	}
	if given("size") && !given("tier") && p.Adoption != 0 { // the size brings its tier
		_, tier, err := load.Sizing(p.Size, p.Adoption)
		if err != nil {
			return "", p, err
		}
		p.Tier = tier.Name
	}
	if !given("previous") && p.Previous == defaults.Previous && p.Chart != defaults.Chart {
		p.Previous = "" // another chart's history is not known
	}
	if p.Cluster.Existing() && f.file == "" && !given("topology") {
		p.Topologies = []string{topology.CloudNative} // the only one that an existing cluster can have
	}
	return root, p, f.setGenerators(c, &p)
}

// readWithoutScenarios is read for commands that run no scenario. It refuses --scenarios and a
// plan file that ask for any.
func (f *planFlags) readWithoutScenarios(c *cobra.Command, state *State) (root string, p plan.Plan, err error) {
	root, p, err = f.read(c, state)
	switch {
	case err != nil || p.Scenarios == scenario.None:
	case c.Flags().Changed("scenarios"):
		err = exit.Invalidf("--scenarios "+p.Scenarios, "leave it out, or use steamer run", "this command runs no scenario")
	default:
		err = exit.Invalidf("--plan "+f.file, "write \"scenarios: none\", or use steamer run",
			"it asks for scenarios (%s), and this command runs none", p.Scenarios)
	}
	return root, p, err
}

// setGenerators has pods drive the load where flags say so.
func (f *planFlags) setGenerators(c *cobra.Command, p *plan.Plan) error {
	if f.inCluster {
		p.InCluster = &f.generators
		return nil
	}
	for _, name := range []string{"parallelism", "generator-cpu", "generator-memory"} {
		if c.Flags().Changed(name) {
			return exit.Invalidf("--"+name, "add --in-cluster", "it only applies to load that pods drive")
		}
	}
	return nil
}
