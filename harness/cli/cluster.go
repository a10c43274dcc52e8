package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
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
		Use: "up", Short: "Make a cluster and leave it running", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return state.Up(c.Context(), o) },
	}
	flags := command.Flags()
	flags.StringVar(&o.Name, "name", "", chosenName)
	flags.IntVar(&o.HostPort, "port", 0, fmt.Sprintf(chosenPort, "OpenBao"))
	flags.DurationVar(&o.TTL, "ttl", o.TTL, "time after which cluster gc may remove the cluster, if no process uses it")
	oldNames(command, map[string]string{"cluster": "name"})
	return command
}

func newClusterDown(state *State) *cobra.Command {
	var name string
	command := &cobra.Command{
		Use: "down", Args: cobra.NoArgs,
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
	oldNames(command, map[string]string{"cluster": "name"})
	return command
}

func newClusterList(state *State) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use: "list", Short: "List the kind clusters of the engine and whose they are", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := choice("--format", format, "text", "table", "json"); err != nil {
				return err
			}
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
			return printed(state, format, append([]cluster.Found{}, found...), func(w io.Writer) error {
				return cluster.WriteTable(w, found, time.Now())
			})
		},
	}
	addFormat(command, &format)
	oldNames(command, map[string]string{"output": "format"})
	return command
}

func newClusterGC(state *State) *cobra.Command {
	var all bool
	var on session.Remains
	var existing *pflag.FlagSet
	command := &cobra.Command{
		Use: "gc", Short: "Remove clusters of yours whose run is gone, and kept ones whose time is over", Args: cobra.NoArgs,
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
	command.Flags().BoolVar(&all, "all", false, "remove all clusters of yours that no process uses, kept ones, too")
	const title = "Existing cluster"
	addFlags(command, title, func(set *pflag.FlagSet) {
		set.StringVar(&on.Context, "context", "", "kubeconfig context of an existing cluster to remove left namespaces from")
		set.StringVar(&on.Kubeconfig, "kubeconfig", "", "kubeconfig of an existing cluster to remove left namespaces from")
	})
	existing = addFlags(command, title, func(set *pflag.FlagSet) {
		set.StringVar(&on.Run, "run", "", "ID of the run whose namespaces are removed, whoever made them")
		set.BoolVar(&on.DryRun, "dry-run", false, "list the namespaces of runs on the existing cluster, and stop")
	})
	oldNames(command, map[string]string{"kube-context": "context"})
	return command
}
