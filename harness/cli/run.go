package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

const runLong = `Runs the plan from a bare machine to a verdict: container engine, images, kind cluster; then for
each topology install, provisioning, scenarios and load; then the judgement and the reports. What
the run made is removed at its end, also after Ctrl-C, unless --keep is given.

Everything about the plan is checked before anything is touched; --dry-run stops there and
prints it. The run directory holds result.json, report.html, report.md, junit.xml and more.`

func newRun(state *State) *cobra.Command {
	command, f := runCommand(state, scenario.Core, "run", "Run a plan: install, check, load, judge, report")
	f.workload(command)
	command.Aliases = []string{"perf"}
	command.Long = runLong
	command.Example = `  steamer run
  steamer run --topology cloud-native-hybrid --profile smoke
  steamer run --chart ./my-chart.tgz --values mine.yaml --tier 30
  steamer run --chart openbao --repo https://charts.example --version 1.2.3 --dialect community
  steamer run --chart oci://registry.example/charts/openbao --version 1.2.3
  steamer perf --tier 150 --in-cluster --parallelism 3 # load from pods, merged into one result
  steamer perf --size 10k --adoption 0.2               # 20 Git pulls/s x 0.2 x 3 = 12 fetches/s, on tier 12
  steamer perf --profile stress --retries              # overload, seen as jobs see it
  steamer perf --profile soak --mode login-read        # a token for each fetch, left to expire
  steamer run --keep && steamer run --reuse --keep     # keep the cluster between runs
  steamer run --plan nightly.yaml --dry-run`
	return command
}

// runFlags are the flags that make a plan; they override the plan file's fields when given.
type runFlags struct {
	load         bool
	suite        string // scenarios unless the plan says which
	planFile     string
	topologies   []string
	dryRun       bool
	readyTimeout time.Duration

	environmentLatency time.Duration
	duration           time.Duration

	fullStack  run.FullStack // where its GitLab is set
	flagged    plan.Plan
	retries    bool
	inCluster  bool
	generators plan.InCluster
}

// runCommand makes a command that runs plans; suite is the default of --scenarios.
func runCommand(state *State, suite, use, short string) (*cobra.Command, *runFlags) {
	f := &runFlags{load: true, suite: suite}
	command := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	command.RunE = func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c, state) }
	flags, d := command.Flags(), plan.Default(".")
	flags.StringVar(&f.planFile, "plan", "", "YAML file with a plan; flags override it")
	flags.StringSliceVar(&f.topologies, "topology", []string{"all"}, "cloud-native, cloud-native-hybrid or all")
	flags.StringVar(&f.flagged.Chart, "chart", "",
		"chart under test: directory, .tgz, oci://REGISTRY/PATH/NAME, or its name in --repo (default: charts/openbao)")
	flags.StringVar(&f.flagged.Repo, "repo", "",
		"URL of the Helm repository that --chart is in; credentials come from helm's own configuration")
	flags.StringVar(&f.flagged.Version, "version", "", "exact version of a chart from --repo or oci://")
	flags.StringVar(&f.flagged.Dialect, "dialect", d.Dialect, "values dialect of the chart: "+
		strings.Join(topology.Dialects(), ", ")+", or a file")
	flags.StringArrayVar(&f.flagged.Values, "values", nil, "values file over the dialect's values; repeatable")
	flags.StringArrayVar(&f.flagged.Set, "set", nil, "value over the files, in helm's --set syntax; repeatable")
	flags.StringVar(&f.flagged.Profile, "profile", d.Profile, "load profile: a name in perf/profiles or a file")
	flags.StringVar(&f.flagged.Tier, "tier", d.Tier,
		"GitLab sizing tier, by its fetches per second: 3, 6, 12, 30, 60, 150")
	flags.Float64Var(&f.flagged.Rate, "rate", 0, "fetches per second instead of the profile's")
	flags.BoolVar(&f.inCluster, "in-cluster", false,
		"drive the load by pods of the cluster instead of a process beside Steamer")
	flags.IntVar(&f.generators.Parallelism, "parallelism", 1, "how many such pods share the load")
	flags.StringVar(&f.generators.CPU, "generator-cpu", "", "CPU limit of each such pod, e.g. 500m (default: none)")
	flags.StringVar(&f.generators.Memory, "generator-memory", "1Gi", "memory limit of each such pod")
	flags.IntVar(&f.flagged.Tenants, "tenants", d.Tenants, "GitLab projects to provision")
	flags.IntVar(&f.flagged.Secrets, "secrets", d.Secrets, "secrets of each project")
	flags.StringVar(&f.flagged.Scenarios, "scenarios", suite,
		"core (all but the slow ones), all, none, or a regular expression over scenario IDs")
	flags.StringVar(&f.flagged.Previous, "previous", "",
		"previous release of the chart, a directory or .tgz, for the upgrade scenario and the gate's comparison (default: that of charts/openbao)")
	flags.DurationVar(&f.readyTimeout, "ready-timeout", topology.InstallTimeout,
		"how long the installed chart may take until it is ready")
	flags.StringVar(&f.flagged.Cluster.Name, "cluster", "", chosenName)
	flags.IntVar(&f.flagged.Cluster.Port, "port", 0, fmt.Sprintf(chosenPort, "OpenBao"))
	flags.BoolVar(&f.flagged.Cluster.Reuse, "reuse", false,
		"use a kept cluster of yours that no process uses, of this name if one is given, if there is one")
	flags.BoolVar(&f.flagged.Cluster.Keep, "keep", false, "leave the cluster and the engine running")
	flags.StringVar(&f.flagged.Cluster.Context, "context", "",
		"use the existing cluster of this kubeconfig context instead of kind; cloud-native only")
	flags.StringVar(&f.flagged.Cluster.Kubeconfig, "kubeconfig", "",
		"kubeconfig of an existing cluster to use instead of kind")
	flags.StringToStringVar(&f.flagged.Images, "image", nil,
		"NAME=REFERENCE to use instead of the image Steamer builds: openbao, postgresql, gitlab-stub, node (a kind node of another Kubernetes), and k6 for --in-cluster on an existing cluster")
	flags.StringVar(&f.flagged.Output, "output", d.Output, "directory that run directories are made in")
	flags.StringVar(&f.flagged.SLO, "slo", "", "file of objectives (default: perf/slo.yaml)")
	flags.DurationVar(&f.environmentLatency, "environment-latency", 0,
		"added to every latency limit: what the way between client and OpenBao costs, 0 to 1s")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check and print the plan, and stop")
	return command, f
}

// workload adds the flags that say what the load does, for commands that drive one profile.
func (f *runFlags) workload(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.flagged.Size, "size", "",
		"rate and tier of a GitLab of this size: 1k, 2k, 3k, 5k, 10k, 25k, 50k users; with --adoption")
	flags.Float64Var(&f.flagged.Adoption, "adoption", 0,
		"share of its CI jobs that fetch secrets, above 0 to 1; fetches/s = Git pulls/s of the size x adoption x 3")
	flags.StringVar(&f.flagged.Mode, "mode", "", "what the load does instead of the profile's mode: "+
		strings.Join(load.ProfileModes(), ", "))
	flags.DurationVar(&f.duration, "duration", 0,
		"how long the load is measured instead of the profile's duration, e.g. 10m; not for profiles with stages")
	flags.BoolVar(&f.retries, "retries", false,
		"repeat failed calls as GitLab Runner does, or with =false do not, whatever the profile says")
}

// plan combines defaults, plan file and flags.
func (f *runFlags) plan(c *cobra.Command, root string) (plan.Plan, error) {
	p := plan.Default(root)
	p.Load, p.Scenarios = f.load, f.suite
	if f.planFile != "" {
		var err error
		if p, err = plan.Read(f.planFile, p); err != nil {
			return p, err
		}
	}
	given, g := c.Flags().Changed, f.flagged
	if given("topology") {
		p.Topologies = f.topologies
		if slices.Equal(f.topologies, []string{"all"}) {
			p.Topologies = topology.Names()
		}
	}
	if given("chart") { // another chart than the plan file's comes from somewhere else
		p.Repo, p.Version = "", ""
	}
	for name, set := range map[string]func(){
		"chart": func() { p.Chart = g.Chart }, "repo": func() { p.Repo = g.Repo },
		"version": func() { p.Version = g.Version },
		"dialect": func() { p.Dialect = g.Dialect }, "values": func() { p.Values = g.Values },
		"set": func() { p.Set = g.Set }, "profile": func() { p.Profile = g.Profile }, "tier": func() { p.Tier = g.Tier },
		"mode": func() { p.Mode = g.Mode }, "retries": func() { p.Retries = &f.retries },
		"tenants": func() { p.Tenants = g.Tenants }, "secrets": func() { p.Secrets = g.Secrets },
		"scenarios": func() { p.Scenarios = g.Scenarios }, "run": func() { p.Scenarios = g.Scenarios },
		"previous":      func() { p.Previous = g.Previous },
		"duration":      func() { p.Duration = document.Duration(f.duration) },
		"ready-timeout": func() { p.ReadyTimeout = document.Duration(f.readyTimeout) },
		"repeat":        func() { p.Repeat = g.Repeat }, "shuffle": func() { p.Shuffle = g.Shuffle },
		"cluster": func() { p.Cluster.Name = g.Cluster.Name },
		"port":    func() { p.Cluster.Port = g.Cluster.Port }, "reuse": func() { p.Cluster.Reuse = g.Cluster.Reuse },
		"context":             func() { p.Cluster.Context = g.Cluster.Context },
		"kubeconfig":          func() { p.Cluster.Kubeconfig = g.Cluster.Kubeconfig },
		"environment-latency": func() { p.EnvironmentLatency = document.Duration(f.environmentLatency) },
		"image":               func() { p.Images = g.Images },
		"keep":                func() { p.Cluster.Keep = g.Cluster.Keep }, "output": func() { p.Output = g.Output },
		"slo": func() { p.SLO = g.SLO },
	} {
		if given(name) {
			set()
		}
	}
	if err := f.rate(c, &p); err != nil {
		return p, err
	}
	if f.inCluster {
		p.InCluster = &f.generators
	}
	if !f.inCluster && (given("parallelism") || given("generator-cpu") || given("generator-memory")) {
		return p, exit.Invalidf("--parallelism", "add --in-cluster",
			"it says how pods drive the load, and a process beside Steamer does")
	}
	if d := plan.Default(root); !given("previous") && p.Previous == d.Previous && p.Chart != d.Chart {
		p.Previous = "" // another chart's history is not known
	}
	if p.Cluster.Existing() && f.planFile == "" && !given("topology") {
		p.Topologies = []string{topology.CloudNative} // the only one that an existing cluster can have
	}
	return p, nil
}

// rate sets what says the rate: a flag replaces all of the plan file's ways to say it. The size
// brings its own tier.
func (f *runFlags) rate(c *cobra.Command, p *plan.Plan) error {
	given, g := c.Flags().Changed, f.flagged
	if given("rate") || given("size") || given("adoption") {
		p.Rate, p.Size, p.Adoption = g.Rate, g.Size, g.Adoption
	}
	if !given("size") || given("tier") || p.Adoption == 0 {
		return nil
	}
	_, tier, err := load.Sizing(p.Size, p.Adoption)
	p.Tier = tier.Name
	return err
}

// read finds the source tree and makes the plan.
func (f *runFlags) read(c *cobra.Command, state *State) (root string, p plan.Plan, err error) {
	if root, err = plan.FindRoot(state.root); err != nil {
		return "", p, err
	}
	p, err = f.plan(c, root)
	return root, p, err
}

func (f *runFlags) run(ctx context.Context, c *cobra.Command, state *State) error {
	root, p, err := f.read(c, state)
	if err != nil {
		return err
	}
	if _, err := scenario.Select(scenarios.All(), p.Scenarios); err != nil {
		return err
	}
	provider, ui, err := state.prepare(ctx, root, p)
	if err != nil {
		return err
	}
	r := state.runner(provider, ui)
	do := r.Run
	if f.fullStack.GitLab != "" {
		full, err := f.fullStackOf(c, state)
		if err != nil {
			return err
		}
		if err := full.Check(ctx); err != nil {
			return err
		}
		do = func(ctx context.Context) (*result.Result, string, error) { return r.RunFullStack(ctx, full) }
	} else {
		if err := state.place(ctx, provider); err != nil {
			return err
		}
		if err := provider.Preflight(ctx); err != nil {
			return err
		}
	}
	if f.dryRun {
		return state.printPlan(p, r.Plan.Outlook())
	}
	for _, line := range r.Plan.Outlook() {
		fmt.Fprintln(state.Stderr, line)
	}
	if provider.Elsewhere {
		return state.enter(ctx, provider)
	}
	started := time.Now()
	outcome, dir, err := do(ctx)
	if outcome == nil {
		return err
	}
	if summaryErr := report.Summary(state.Stdout, outcome, colourful(state.Stdout)); summaryErr != nil {
		return summaryErr
	}
	fmt.Fprintf(state.Stdout, "\nRun directory: %s (%s)\n", dir, time.Since(started).Round(time.Second))
	return conclude(ctx, outcome, err)
}

// printPlan prints a plan as YAML. As comments it says what would be chosen for it now, which is no
// part of it, since a plan that is run again chooses again, and the outlook: which objectives its
// load can decide.
func (s *State) printPlan(p plan.Plan, outlook []string) error {
	text, err := p.YAML()
	if err != nil {
		return err
	}
	for _, line := range outlook {
		text += "# " + line + "\n"
	}
	if c := p.Cluster; !c.Existing() && (c.Name == "" || c.Port == 0) {
		me, err := s.identity()
		if err != nil {
			return err
		}
		port := c.Port
		if port == 0 {
			if port, err = cluster.FreePort(); err != nil {
				return err
			}
		}
		fmt.Fprintf(s.Stdout, "# Chosen when it runs, where the plan leaves it open: cluster %s and port %d, or the next that are free.\n", cmp.Or(c.Name, me.DefaultName()), port)
	}
	_, err = fmt.Fprint(s.Stdout, text)
	return err
}

// ui shows progress on standard error.
func (s *State) ui() *steps.Text { return &steps.Text{W: s.Stderr, Terminal: isTerminal(s.Stderr)} }

// prepare resolves a plan, and makes what brings up its platform.
func (s *State) prepare(ctx context.Context, root string, p plan.Plan) (*platform.Provider, *steps.Text, error) {
	resolved, err := p.Resolve(ctx, root, s.fetcher())
	if err != nil {
		return nil, nil, err
	}
	provider, err := s.provider(resolved)
	return provider, s.ui(), err
}

// provider makes what brings up the platform of a plan, with what the state knows.
func (s *State) provider(p *plan.Resolved) (*platform.Provider, error) {
	builder, err := s.builder()
	if err != nil {
		return nil, err
	}
	engineOptions, err := s.engineOptions()
	return &platform.Provider{
		Plan: p, Root: builder.Root, Cache: builder.Cache, Builder: builder, Engine: engineOptions, Named: s.named,
	}, err
}

// runner runs the plan of a platform on it.
func (s *State) runner(p *platform.Provider, ui steps.UI) *run.Runner {
	return &run.Runner{
		Plan: p.Plan, Platform: run.OnCluster(p), Steamer: buildVersion(), Reproduce: s.commandLine(), UI: ui,
	}
}

// commandLine is the command that repeats what this process does, secrets withheld.
func (s *State) commandLine() string { return secret.CommandLine("steamer", s.Args) }

// conclude turns a finished run into the process's outcome. A FAIL that was proven stands, whatever
// came after it.
func conclude(ctx context.Context, outcome *result.Result, err error) error {
	code := judge.ExitCode(ctx, outcome.Verdict, err)
	switch {
	case code == exit.Pass:
		return nil
	case err != nil && code == exit.CodeOf(err):
		return err
	}
	return verdictError(code)
}

// buildVersion is Steamer's version and commit, as far as the build recorded them.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision := ""
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			revision = " " + setting.Value
		}
	}
	return info.Main.Version + revision
}

// isTerminal tells a terminal from files, pipes and other devices, of which /dev/null is one.
func isTerminal(w io.Writer) bool {
	file, ok := secret.Unwrap(w).(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// colourful reports whether what is written to w should be coloured.
func colourful(w io.Writer) bool {
	file, ok := secret.Unwrap(w).(*os.File)
	return ok && report.Colour(file)
}
