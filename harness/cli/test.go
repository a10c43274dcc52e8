package cli

import (
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/scenarios"
)

// testFlags are the flags of steamer test beyond those of its plan.
type testFlags struct {
	*planFlags
	full          run.FullStack // where its GitLab is set
	local         bool
	list          bool
	explain       string
	format        string
	installed     []*pflag.FlagSet // what means nothing where nothing is installed
	tenants       *pflag.FlagSet
	only, stacked *pflag.FlagSet
}

func newTest(state *State) *cobra.Command {
	f := &testFlags{planFlags: newPlanFlags(scenario.All, func(p *plan.Plan) { p.Load = false })}
	command := &cobra.Command{
		Use: "test", Short: "Run the scenarios without load", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, state) },
	}
	f.addFile(command)
	f.installed = []*pflag.FlagSet{
		f.add(command, "Chart", bindTopology), f.add(command, "Chart", bindTLS), f.add(command, "Chart", bindChart),
		f.add(command, "Chart", bindPrevious),
	}
	f.add(command, "Chart", bindTier)
	f.add(command, "Scenarios", bindScenarios)
	f.add(command, "Scenarios", bindSubject)
	addFlags(command, "Scenarios", func(set *pflag.FlagSet) {
		set.BoolVar(&f.local, "local", false,
			"no cluster: run the scenarios that need no chart on an OpenBao and a PostgreSQL of this machine, in a minute")
	})
	f.add(command, "Scenarios", func(set *pflag.FlagSet, p *plan.Plan) {
		set.IntVar(&p.Repeat, "repeat", p.Repeat, "run the scenarios this many times in a row; 0 is once")
		set.Uint64Var(&p.Shuffle, "shuffle", p.Shuffle,
			"seed of another order for each round, as a run with --shuffle printed it; 0 keeps the order of --list")
	})
	f.tenants = f.add(command, "Scenarios", bindTenants)
	f.installed = append(f.installed, f.add(command, "Scenarios", bindShards), f.add(command, "Cluster", bindCluster))
	f.addStack(command)
	f.add(command, "Output", bindOutput)
	f.addList(command)
	// What the load does is accepted, as in earlier releases, and means nothing.
	hide(f.add(command, "Load", bindProfile), f.add(command, "Load", bindRate),
		f.addGenerators(command), f.add(command, "Load", bindSLO), f.add(command, "Load", bindLatency))
	names := planNames()
	names["run"] = "scenarios"
	oldNames(command, names)
	_ = command.RegisterFlagCompletionFunc("explain", values(func(*cobra.Command) []string { return scenarioIDs() }))
	return command
}

func (f *testFlags) addStack(c *cobra.Command) {
	f.stacked = addFlags(c, "An installed GitLab", func(set *pflag.FlagSet) {
		set.StringVar(&f.full.GitLab, "gitlab-url", "",
			"no cluster: manage secrets by the API of the GitLab at this URL, and fetch them as one of its jobs")
		set.StringVar(&f.full.OpenBao, "openbao-url", "",
			"with --gitlab-url: where runners reach OpenBao (default: the audience of the job's token)")
		set.StringVar(&f.full.Recipe, "recipe", "two-level-jwt",
			"with --gitlab-url: how that GitLab lays out projects in OpenBao")
		set.IntVar(&f.full.Group, "gitlab-group", 0,
			"with --gitlab-url: ID of the project's top-level group (default: the token's namespace)")
		set.IntVar(&f.full.Organization, "gitlab-organization", 1,
			"with --gitlab-url: ID of the project's organisation")
	})
}

func (f *testFlags) addList(c *cobra.Command) {
	addFlags(c, "List", func(set *pflag.FlagSet) {
		set.BoolVar(&f.list, "list", false, "list the scenarios and what each protects, and stop")
		set.StringVar(&f.explain, "explain", "", "say everything about the scenario with this ID, and stop")
	})
	f.only = addFlags(c, "List", func(set *pflag.FlagSet) {
		set.StringVarP(&f.format, "format", "o", "text", "with --list or --explain: text or json")
	})
}

func (f *testFlags) run(c *cobra.Command, state *State) error {
	switch {
	case f.list:
		wanted, err := f.plan.Select(scenarios.All())
		if err != nil {
			return err
		}
		list := scenario.Describe(wanted...)
		return printed(state, f.format, list, func(w io.Writer) error { return scenario.WriteList(w, list) })
	case f.explain != "":
		for _, d := range scenario.Describe(scenarios.All()...) {
			if d.ID == f.explain {
				return printed(state, f.format, d, d.Write)
			}
		}
		return exit.Invalidf("--explain "+f.explain, "steamer test --list shows the IDs", "there is no such scenario")
	}
	if err := refuse("it is for --list and --explain", f.only); err != nil {
		return err
	}
	if f.local {
		return f.onProcesses(c, state)
	}
	if f.full.GitLab == "" {
		return runPlan(c, state, f.planFlags, nil)
	}
	full, err := f.stack(state)
	if err != nil {
		return err
	}
	return runPlan(c, state, f.planFlags, full)
}

// onProcesses runs the scenarios that need no cluster.
func (f *testFlags) onProcesses(c *cobra.Command, state *State) error {
	if err := refuse("with --local nothing is installed", append(f.installed, f.stacked)...); err != nil {
		return err
	}
	root, p, err := f.read(c, state)
	if err == nil {
		_, err = p.Select(scenarios.All())
	}
	if err != nil {
		return err
	}
	verdict, err := campaign.RunProcesses(c.Context(), state, root, p, f.dryRun)
	return conclude(c.Context(), verdict, err)
}

// stack completes what the flags say by what only the environment may.
func (f *testFlags) stack(state *State) (*run.FullStack, error) {
	if err := refuse("with --gitlab-url nothing is installed", append(f.installed, f.tenants)...); err != nil {
		return nil, err
	}
	full := f.full
	for name, into := range map[string]*string{"GITLAB_TOKEN": &full.Token, "STEAMER_JOB_JWT": &full.JWT} {
		if *into = state.Getenv(name); *into == "" {
			return nil, exit.Invalidf(name, "docs/full-stack.md says where it comes from",
				"--gitlab-url needs it in the environment")
		}
	}
	secret.Learn(full.Token, full.JWT)
	return &full, nil
}
