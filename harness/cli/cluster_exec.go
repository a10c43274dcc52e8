package cli

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
)

func newClusterExec(state *State) *cobra.Command {
	var name string
	command := &cobra.Command{
		Use: "exec [--name NAME] -- COMMAND [ARGUMENT...]", Short: "Run a command where it reaches a cluster of Steamer's",
		Args: cobra.MinimumNArgs(1),
		Long: `Runs a command with KUBECONFIG set to the cluster's, and inside the private engine's network namespace where the cluster is
there: its API server and ports are on that namespace's loopback address, and it has no way out to any network. DOCKER_HOST leads to
the engine. The command takes Steamer's place: terminal, signals and exit code are its own. While it runs the engine stays.`,
		Example: "  steamer cluster exec -- kubectl get pods --all-namespaces\n  steamer cluster exec -- bash",
		RunE: func(c *cobra.Command, args []string) error {
			program, err := exec.LookPath(args[0])
			if err != nil {
				return exit.Invalidf(args[0], "install it; the node has a kubectl of its own: steamer cluster exec -- docker exec "+
					name+"-control-plane kubectl get pods", "%w", err)
			}
			made, e, err := state.open(c.Context(), name)
			if err != nil {
				return err
			}
			environ := without(os.Environ(), "KUBECONFIG", "DOCKER_HOST")
			environ = append(append(environ, "KUBECONFIG="+made.Kubeconfig), e.Environ()...)
			if state.namespace != nil {
				if err := state.namespace.Release(); err != nil {
					return err
				}
			}
			return exit.Invalidf(program, "name a program that can be run", "%w", syscall.Exec(program, args, environ))
		},
	}
	command.Flags().StringVar(&name, "name", "steamer", "name of the cluster")
	return command
}

// open connects to a cluster that runs, from where it can be reached.
func (s *State) open(ctx context.Context, name string) (*cluster.Cluster, *engine.Engine, error) {
	if err := s.enterExisting(ctx, false); err != nil {
		return nil, nil, err
	}
	k, e, err := s.kindOn(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	made, err := k.Open(ctx, name)
	return made, e, err
}

// without is an environment without some of its variables.
func without(environ []string, names ...string) []string {
	return slices.DeleteFunc(environ, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(names, name)
	})
}
