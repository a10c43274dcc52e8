package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/session"
)

func newCluster(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "cluster", Short: "Make, list and remove Steamer's kind clusters",
	}, newClusterUp(state), newClusterDown(state), newClusterList(state), newClusterGC(state),
		newClusterExec(state), newClusterProxy(state))
}

func newClusterUp(state *State) *cobra.Command {
	o := cluster.Options{Run: "cluster-up", TTL: 12 * time.Hour, Keep: true}
	command := &cobra.Command{
		Use: "up", Short: "Make a cluster and leave it running",
		RunE: func(c *cobra.Command, _ []string) error { return state.Up(c.Context(), o) },
	}
	flags := command.Flags()
	flags.StringVar(&o.Name, "name", "", chosenName)
	flags.IntVar(&o.HostPort, "port", 0, fmt.Sprintf(chosenPort, "OpenBao"))
	flags.DurationVar(&o.TTL, "ttl", o.TTL, "time after which cluster gc may remove the cluster, if no process uses it")
	return command
}

func newClusterDown(state *State) *cobra.Command {
	var name string
	command := &cobra.Command{
		Use:   "down",
		Short: "Remove a cluster of yours, and the private engine when nothing else runs on it",
		RunE: func(c *cobra.Command, _ []string) error {
			me, err := state.Identity()
			if err != nil {
				return err
			}
			return state.Down(c.Context(), func(ctx context.Context, k *cluster.Kind) error {
				return k.Delete(ctx, cmp.Or(name, me.DefaultName()))
			})
		},
	}
	command.Flags().StringVar(&name, "name", "",
		"name of the cluster (default: the name that this checkout's first cluster gets)")
	return command
}

func newClusterList(state *State) *cobra.Command {
	command := &cobra.Command{
		Use: "list", Short: "List the kind clusters of the engine and whose they are",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := state.EnterExisting(c.Context(), false); err != nil {
				return err
			}
			k, _, err := state.KindOn(c.Context(), false)
			if err != nil {
				return err
			}
			found, err := k.List(c.Context())
			if err != nil {
				return err
			}
			return printed(state, append([]cluster.Found{}, found...), func(w io.Writer) error {
				return cluster.WriteTable(w, found, time.Now())
			})
		},
	}
	addFormat(command, "")
	return command
}

func newClusterGC(state *State) *cobra.Command {
	var all bool
	var on session.Remains
	var existing *pflag.FlagSet
	command := &cobra.Command{
		Use: "gc", Short: "Remove clusters of yours whose run is gone, and kept ones whose time is over",
		RunE: func(c *cobra.Command, _ []string) error {
			if on.Context != "" || on.Kubeconfig != "" {
				if all {
					return exit.Invalidf("--all", "leave it out; --run names a run", "it is for kind clusters")
				}
				return on.Remove(c.Context(), state)
			}
			if err := refuse("it is for existing clusters; add --context", existing); err != nil {
				return err
			}
			return state.Collect(c.Context(), all, func(removed, used []string) {
				if removed == nil {
					fmt.Fprintln(state.Stdout, "no engine runs and no cluster is marked: nothing to remove")
					return
				}
				fmt.Fprintf(state.Stdout, "removed %d clusters %v\n", len(removed), removed)
				for _, name := range used {
					fmt.Fprintf(state.Stdout, "cluster %s stays: a process of yours uses it, or may use it\n", name)
				}
			})
		},
	}
	set := command.Flags()
	set.BoolVar(&all, "all", false, "remove all clusters of yours that no process uses, kept ones, too")
	under(command, "Flags")
	set.StringVar(&on.Context, "context", "", "kubeconfig context of an existing cluster to remove left namespaces from")
	set.StringVar(&on.Kubeconfig, "kubeconfig", "", "kubeconfig of an existing cluster to remove left namespaces from")
	under(command, "Existing cluster")
	set.StringVar(&on.Run, "run", "", "ID of the run whose namespaces are removed, whoever made them")
	set.BoolVar(&on.DryRun, "dry-run", false, "list the namespaces of runs on the existing cluster, and stop")
	existing = under(command, "Existing cluster")
	return command
}

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
			_ = os.Unsetenv("DOCKER_HOST")
			for _, variable := range append(e.Environ(), "KUBECONFIG="+made.Kubeconfig) {
				name, value, _ := strings.Cut(variable, "=")
				if err := os.Setenv(name, value); err != nil {
					return err
				}
			}
			if state.Namespace != nil {
				if err := state.Namespace.Release(); err != nil {
					return err
				}
			}
			return exit.Invalidf(program, "name a program that can be run", "%w", syscall.Exec(program, args, os.Environ()))
		},
	}
	command.Flags().StringVar(&name, "name", "steamer", "name of the cluster")
	return command
}

func newClusterProxy(state *State) *cobra.Command {
	var name string
	var port, apiPort int
	command := &cobra.Command{
		Use: "proxy", Short: "Lead this machine's loopback to a cluster on the private engine, until interrupted",
		RunE: func(c *cobra.Command, _ []string) error { return state.Proxy(c.Context(), name, port, apiPort) },
	}
	command.Flags().StringVar(&name, "name", "steamer", "name of the cluster")
	command.Flags().IntVar(&port, "port", cluster.DefaultHostPort, "loopback port that is to lead to OpenBao")
	command.Flags().IntVar(&apiPort, "api-port", 0, "loopback port that is to lead to the API server; 0 takes a free one")
	return command
}
