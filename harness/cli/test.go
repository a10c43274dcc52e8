package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/scenarios"
)

const testLong = `Runs like steamer run, without load: installs each topology and runs the scenarios, the slow ones included.

With --gitlab-url nothing is installed. The scenarios of group stack create secrets in a project of that GitLab and fetch
them from the OpenBao behind it. Two variables hold what no argument may: GITLAB_TOKEN, a token of scope api of an owner
of the project, and STEAMER_JOB_JWT, the token of one of the project's jobs. docs/full-stack.md tells more.

--shuffle with a number repeats the order that a run with --shuffle printed; 0 keeps the order of --list.

`

func newTest(state *State) *cobra.Command {
	command, p := runCommand(state, scenario.All, "test", "Run the scenarios without load")
	command.Long = testLong + runLong
	command.Example = `  steamer test --topology cloud-native
  steamer test --run '^access/'                     # only some
  steamer test --run '^lifecycle/' --keep --reuse
  steamer test --repeat 20 --shuffle 7              # is any of them flaky?
  steamer test --gitlab-url https://gitlab.example.com    # the GitLab there, and the OpenBao behind it
  steamer test --list
  steamer test --explain lifecycle/rollback`
	p.load = false
	flags := command.Flags()
	flags.StringVar(&p.flagged.Scenarios, "run", scenario.All, "the same as --scenarios")
	flags.IntVar(&p.flagged.Repeat, "repeat", 0, "run the scenarios this many times in a row")
	flags.Uint64Var(&p.flagged.Shuffle, "shuffle", 0, "seed of another order for each round; 0 keeps the order")
	flags.StringVar(&p.fullStack.GitLab, "gitlab-url", "",
		"no cluster: manage secrets by this GitLab's API and fetch them as one of its jobs")
	flags.StringVar(&p.fullStack.OpenBao, "openbao-url", "",
		"with --gitlab-url: where runners reach OpenBao (default: the audience of the job's token)")
	flags.StringVar(&p.fullStack.Recipe, "recipe", "two-level-jwt",
		"with --gitlab-url: how that GitLab lays out projects in OpenBao")
	flags.IntVar(&p.fullStack.Group, "gitlab-group", 0,
		"with --gitlab-url: ID of the project's top-level group (default: the token's namespace)")
	flags.IntVar(&p.fullStack.Organization, "gitlab-organization", 1,
		"with --gitlab-url: ID of the project's organisation")
	list := flags.Bool("list", false, "list the scenarios and what each protects, and stop")
	explain := flags.String("explain", "", "say everything about the scenario with this ID, and stop")
	inner := command.RunE
	command.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case *list:
			return listScenarios(state.Stdout)
		case *explain != "":
			return explainScenario(state.Stdout, *explain)
		default:
			return inner(c, args)
		}
	}
	return command
}

func listScenarios(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range scenarios.All() {
		cost := ""
		if !s.Core {
			cost = "slow"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.ID, cost, s.Title)
	}
	return table.Flush()
}

func explainScenario(w io.Writer, id string) error {
	for _, s := range scenarios.All() {
		if s.ID != id {
			continue
		}
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		row := func(name, text string) { fmt.Fprintf(table, "%s\t%s\n", name, text) }
		row("ID", s.ID)
		row("holds", s.Title)
		row("protects", s.Protects)
		row("source", s.Source)
		row("kind", string(s.Kind))
		row("budget", s.Budget.Round(time.Second).String())
		if !s.Core {
			row("cost", "slow: not in the core suite that steamer run starts with")
		}
		if len(s.Topologies) > 0 {
			row("topologies", strings.Join(s.Topologies, ", "))
		}
		for _, f := range s.Features {
			row("needs", string(f)+": else it is skipped, because "+f.Lack())
		}
		return table.Flush()
	}
	return exit.Invalidf("--explain "+id, "steamer test --list shows the IDs", "there is no such scenario")
}

// inCluster are the flags that mean nothing without a cluster.
func inCluster() []string {
	return []string{
		"topology", "chart", "repo", "version", "dialect", "values", "set", "image", "context", "kubeconfig",
		"keep", "reuse", "tenants", "secrets", "previous",
	}
}

// fullStackOf completes what the flags say by what only the environment may.
func (f *runFlags) fullStackOf(c *cobra.Command, state *State) (*run.FullStack, error) {
	for _, name := range inCluster() {
		if c.Flags().Changed(name) {
			return nil, exit.Invalidf("--"+name, "leave it out, or --gitlab-url", "with --gitlab-url nothing is installed")
		}
	}
	full := f.fullStack
	for name, into := range map[string]*string{"GITLAB_TOKEN": &full.Token, "STEAMER_JOB_JWT": &full.JWT} {
		if *into = state.Getenv(name); *into == "" {
			return nil, exit.Invalidf(name, "docs/full-stack.md tells where it comes from",
				"--gitlab-url needs it in the environment")
		}
	}
	secret.Learn(full.Token, full.JWT)
	return &full, nil
}
