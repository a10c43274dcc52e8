package cli

import (
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
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
	installed     []*pflag.FlagSet // what means nothing where nothing is installed
	tenants       *pflag.FlagSet
	only, stacked *pflag.FlagSet
}

func newTest(state *State) *cobra.Command {
	f := &testFlags{planFlags: newPlanFlags(scenario.All, func(p *plan.Plan) { p.Load = false })}
	command := &cobra.Command{
		Use: "test", Short: "Run the scenarios without load",
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) { return f.run(c, state) }),
	}
	f.addFile(command)
	f.installed = append(f.installed, f.add(command, "Chart", "topology tls "+chartFlags+" previous"))
	f.add(command, "Chart", "tier")
	f.add(command, "Scenarios", "scenarios subject")
	set := command.Flags()
	set.BoolVar(&f.local, "local", false,
		"no cluster: run the scenarios that need no chart on an OpenBao and a PostgreSQL of this machine, in a minute")
	f.add(command, "Scenarios", "repeat shuffle")
	f.tenants = f.add(command, "Scenarios", "tenants secrets")
	f.installed = append(f.installed, f.add(command, "Scenarios", "shards"), f.add(command, "Cluster", clusterFlags))
	set.StringVar(&f.full.GitLab, "gitlab-url", "",
		"no cluster: manage secrets by the API of the GitLab at this URL, and fetch them as one of its jobs")
	set.StringVar(&f.full.OpenBao, "openbao-url", "",
		"with --gitlab-url: where runners reach OpenBao (default: the audience of the job's token)")
	set.StringVar(&f.full.Recipe, "recipe", "two-level-jwt",
		"with --gitlab-url: how that GitLab lays out projects in OpenBao")
	set.IntVar(&f.full.Group, "gitlab-group", 0,
		"with --gitlab-url: ID of the project's top-level group (default: the token's namespace)")
	set.IntVar(&f.full.Organization, "gitlab-organization", 1, "with --gitlab-url: ID of the project's organisation")
	f.stacked = under(command, "An installed GitLab")
	f.add(command, "Output", "output-dir")
	set.BoolVar(&f.list, "list", false, "list the scenarios and what each protects, and stop")
	set.StringVar(&f.explain, "explain", "", "say everything about the scenario with this ID, and stop")
	under(command, "List")
	addFormat(command, "with --list or --explain: ")
	f.only = under(command, "List")
	// What the load does is accepted, as in earlier releases, and means nothing.
	hide(f.add(command, "Load", "profile rate slo environment-latency"))
	hide(f.addGenerators(command))
	_ = command.RegisterFlagCompletionFunc("explain", values(scenarioIDs))
	return command
}

func (f *testFlags) run(c *cobra.Command, state *State) (result.Verdict, error) {
	if f.list || f.explain != "" {
		return "", f.describe(state)
	}
	if err := refuse("it is for --list and --explain", f.only); err != nil {
		return "", err
	}
	if f.local {
		return f.onProcesses(c, state)
	}
	if f.full.GitLab == "" {
		return runPlan(c, state, f.planFlags, nil)
	}
	if err := f.stack(state); err != nil {
		return "", err
	}
	return runPlan(c, state, f.planFlags, &f.full)
}

// describe lists the scenarios, or explains one.
func (f *testFlags) describe(state *State) error {
	if f.list {
		wanted, err := f.plan.Select(scenarios.All())
		if err != nil {
			return err
		}
		list := scenario.Describe(wanted...)
		return printed(state, list, func(w io.Writer) error { return scenario.WriteList(w, list) })
	}
	for _, d := range scenario.Describe(scenarios.All()...) {
		if d.ID == f.explain {
			return printed(state, d, d.Write)
		}
	}
	return exit.Invalidf("--explain "+f.explain, "steamer test --list shows the IDs", "there is no such scenario")
}

// onProcesses runs the scenarios that need no cluster.
func (f *testFlags) onProcesses(c *cobra.Command, state *State) (result.Verdict, error) {
	if err := refuse("with --local nothing is installed", append(f.installed, f.stacked)...); err != nil {
		return "", err
	}
	root, p, err := f.read(c, state)
	if err == nil {
		_, err = p.Select(scenarios.All())
	}
	if err != nil {
		return "", err
	}
	return campaign.RunProcesses(c.Context(), state, root, p, f.dryRun)
}

// stack completes what the flags say by what only the environment may.
func (f *testFlags) stack(state *State) error {
	if err := refuse("with --gitlab-url nothing is installed", append(f.installed, f.tenants)...); err != nil {
		return err
	}
	for name, into := range map[string]*string{"GITLAB_TOKEN": &f.full.Token, "STEAMER_JOB_JWT": &f.full.JWT} {
		if *into = state.Getenv(name); *into == "" {
			return exit.Invalidf(name, "docs/full-stack.md says where it comes from", "--gitlab-url needs it in the environment")
		}
	}
	secret.Learn(f.full.Token, f.full.JWT)
	return nil
}
