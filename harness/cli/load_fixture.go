package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/topology"
)

const fixtureLong = `Installs one topology, provisions its tenants the way Rails does, leaves it running, and writes the load
generator's fixture to standard output: where the active OpenBao is in the cluster, which secrets there are, the digests of
their values, and tokens of jobs that may read them. perf/README.md describes the document.

It holds tokens, so that it goes into a pipe and to no terminal: into steamer load manifests, or into a load generator of
your own. The tokens end after --valid. Messages go to standard error. Remove the cluster with make down.`

// Limits of how long tokens that leave Steamer may be good.
const (
	defaultValid = time.Hour
	maxValid     = 24 * time.Hour
)

func newLoadFixture(state *State) *cobra.Command {
	command, f := runCommand(state, scenario.None, "fixture",
		"Install, provision, and write what a load generator needs to know")
	command.Long = fixtureLong
	command.Example = `  steamer load fixture | steamer load manifests --fixture - --image registry.example/k6-openbao:1 --tier 150 --parallelism 4
  steamer load fixture --topology cloud-native-hybrid --tenants 200 --profile steady --valid 30m | my-generator`
	flags := command.Flags()
	flags.Lookup("topology").DefValue, f.topologies = topology.CloudNative, []string{topology.CloudNative}
	valid := flags.Duration("valid", defaultValid, "how long its tokens are good, 1m to 24h")
	f.workload(command)
	hide(command, driven()...)
	command.RunE = func(c *cobra.Command, _ []string) error {
		if *valid < time.Minute || *valid > maxValid {
			return exit.Invalidf("--valid "+valid.String(), "use 1m to 24h, little longer than the load", "it is out of range")
		}
		if isTerminal(state.Stdout) && !f.dryRun {
			return exit.Invalidf("standard output", "pipe it into steamer load manifests --fixture -",
				"the fixture holds tokens, which do not belong on a terminal")
		}
		if err := refuse(c, "a fixture is for load that others drive and judge", driven()...); err != nil {
			return err
		}
		return f.fixture(c.Context(), c, state, *valid)
	}
	return command
}

// driven are the flags of a run for the load that it drives and judges itself.
func driven() []string {
	return []string{"in-cluster", "parallelism", "generator-cpu", "generator-memory", "slo", "environment-latency"}
}

// fixture runs the plan up to the load and writes the document in its place.
func (f *runFlags) fixture(ctx context.Context, c *cobra.Command, state *State, valid time.Duration) error {
	root, p, err := f.read(c, state)
	if err != nil {
		return err
	}
	if f.planFile == "" && !c.Flags().Changed("topology") {
		p.Topologies = f.topologies
	}
	if len(p.Topologies) != 1 {
		return exit.Invalidf("--topology", "name the one that is to be loaded",
			"a fixture is of one topology, and the plan has %d", len(p.Topologies))
	}
	p.Load, p.Cluster.Keep = false, true
	messages := *state
	messages.Stdout = state.Stderr // the document is all there is on standard output
	if f.dryRun {
		messages.Stdout = state.Stdout
	}
	return messages.onTopologies(ctx, root, p, onTopologies{
		name: "fixture", dryRun: f.dryRun, keep: true,
		measure: func(ctx context.Context, on topologyUnderTest) (result.Verdict, error) {
			document, err := on.Fixture(ctx, on.plan.Profile, valid)
			if err != nil {
				return "", err
			}
			// The fixture is tokens, and who pipes it asked for them.
			if _, err := secret.Unwrap(state.Stdout).Write(append(document, '\n')); err != nil {
				return "", exit.Environmentf("standard output", "the program that was to read the fixture is gone", "%w", err)
			}
			return result.Pass, nil
		},
	})
}
