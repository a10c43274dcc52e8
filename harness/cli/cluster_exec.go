package cli

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
)

func newClusterExec(state *State) *cobra.Command {
	var name string
	command := &cobra.Command{
		Use: "exec [--name NAME] -- COMMAND [ARGUMENT...]", Short: "Run a command where it reaches a cluster of Steamer's",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			program, err := exec.LookPath(args[0])
			if err != nil {
				return exit.Invalidf(args[0], "install it; the node has a kubectl of its own: steamer cluster exec -- docker exec "+
					name+"-control-plane kubectl get pods", "%w", err)
			}
			made, e, err := state.Open(c.Context(), name)
			if err != nil {
				return err
			}
			environ := without(os.Environ(), "KUBECONFIG", "DOCKER_HOST")
			environ = append(append(environ, "KUBECONFIG="+made.Kubeconfig), e.Environ()...)
			if state.Namespace != nil {
				if err := state.Namespace.Release(); err != nil {
					return err
				}
			}
			return exit.Invalidf(program, "name a program that can be run", "%w", syscall.Exec(program, args, environ))
		},
	}
	command.Flags().StringVar(&name, "name", "steamer", "name of the cluster")
	oldNames(command, map[string]string{"cluster": "name"})
	return command
}

// without is an environment without some of its variables.
func without(environ []string, names ...string) []string {
	return slices.DeleteFunc(environ, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(names, name)
	})
}

func newClusterProxy(state *State) *cobra.Command {
	var name string
	var port, apiPort int
	command := &cobra.Command{
		Use: "proxy", Short: "Lead this machine's loopback to a cluster on the private engine, until interrupted",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return state.Proxy(c.Context(), name, port, apiPort) },
	}
	command.Flags().StringVar(&name, "name", "steamer", "name of the cluster")
	command.Flags().IntVar(&port, "port", cluster.DefaultHostPort, "loopback port that is to lead to OpenBao")
	command.Flags().IntVar(&apiPort, "api-port", 0, "loopback port that is to lead to the API server; 0 takes a free one")
	oldNames(command, map[string]string{"cluster": "name"})
	return command
}
