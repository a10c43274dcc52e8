package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
)

func newCluster(state *State) *cobra.Command {
	command := group(&cobra.Command{
		Use: "cluster", Short: "Make, list and remove Steamer's kind clusters",
		Long: `Clusters that Steamer makes carry an owner mark and a time to live. Only clusters with the mark
are ever reused or removed, whatever their name.`,
	})
	command.AddCommand(newClusterUp(state), newClusterDown(state), newClusterList(state), newClusterGC(state))
	return command
}

// kindOn connects to a running engine, or starts a private one when start is set.
func (s *State) kindOn(ctx context.Context, start bool) (*cluster.Kind, *engine.Engine, error) {
	cache, err := s.cacheDir()
	if err != nil {
		return nil, nil, err
	}
	opts, err := s.engineOptions()
	if err != nil {
		return nil, nil, err
	}
	detect := engine.Running
	if start {
		detect = func(ctx context.Context) (*engine.Engine, error) { return engine.Detect(ctx, opts) }
	}
	e, err := detect(ctx)
	if err != nil {
		return nil, nil, exit.Environmentf("container engine", "steamer doctor", "none answers: %w", err)
	}
	k, err := cluster.NewKind(e, filepath.Join(cache, "clusters"), func(m string) { fmt.Fprintln(s.Stderr, "  "+m) })
	return k, e, err
}

func newClusterUp(state *State) *cobra.Command {
	var name string
	var port int
	var ttl time.Duration
	command := &cobra.Command{
		Use: "up", Short: "Make a cluster and leave it running", Args: cobra.NoArgs,
		Example: "  steamer cluster up\n  steamer run --reuse --keep",
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := state.builder()
			if err != nil {
				return err
			}
			k, _, err := state.kindOn(c.Context(), true)
			if err != nil {
				return err
			}
			opts := cluster.Options{
				Name: name, Run: "cluster-up", Config: filepath.Join(b.Root, "kind-config.yaml"), HostPort: port, TTL: ttl, Keep: true,
				ImageDir: filepath.Join(b.Cache, "images"),
			}
			if err := k.Check(opts); err != nil {
				return err
			}
			b.Progress = progressLines(state.Stderr)
			list, err := b.Ensure(c.Context(), images.Node)
			if err != nil {
				return err
			}
			opts.Node = &list[0]
			started := time.Now()
			made, err := k.Up(c.Context(), opts)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(state.Stdout, "cluster %s is ready after %.1f s\nexport KUBECONFIG=%s\n",
				made.Name, time.Since(started).Seconds(), made.Kubeconfig)
			return err
		},
	}
	command.Flags().StringVar(&name, "name", "steamer", "name of the cluster")
	command.Flags().IntVar(&port, "port", cluster.DefaultHostPort, "loopback port that leads to OpenBao")
	command.Flags().DurationVar(&ttl, "ttl", 12*time.Hour, "after which cluster gc may remove it")
	return command
}

func newClusterDown(state *State) *cobra.Command {
	var name string
	command := &cobra.Command{
		Use: "down", Short: "Remove a cluster of Steamer's, and its private engine when nothing else runs on it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return state.down(c.Context(), name)
		},
	}
	command.Flags().StringVar(&name, "name", "steamer", "name of the cluster")
	return command
}

// kindToClear is kindOn for removing clusters. A private engine that died took its clusters' containers down and kept their data, and the next
// run would find them there: so it is started where marks say that there is something to remove. Without marks and engine k is nil.
func (s *State) kindToClear(ctx context.Context) (*cluster.Kind, *engine.Engine, error) {
	cache, err := s.cacheDir()
	if err != nil {
		return nil, nil, err
	}
	marked, err := cluster.Marked(filepath.Join(cache, "clusters"))
	if err != nil {
		return nil, nil, err
	}
	if _, err := engine.Running(ctx); err != nil && len(marked) == 0 {
		return nil, nil, ctx.Err()
	}
	return s.kindOn(ctx, len(marked) > 0)
}

// down removes a cluster, and stops the private engine when nothing else runs on it.
func (s *State) down(ctx context.Context, name string) error {
	k, e, err := s.kindToClear(ctx)
	if err != nil || k == nil {
		return err
	}
	if err := k.Delete(ctx, name); err != nil {
		return err
	}
	return stopIdle(ctx, k, e)
}

// stopIdle stops a private engine that has no cluster left.
func stopIdle(ctx context.Context, k *cluster.Kind, e *engine.Engine) error {
	found, err := k.List(ctx)
	if err != nil || len(found) > 0 {
		return err
	}
	return e.Stop(ctx)
}

func newClusterList(state *State) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the kind clusters of the engine and whose they are", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			k, _, err := state.kindOn(c.Context(), false)
			if err != nil {
				return err
			}
			found, err := k.List(c.Context())
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(state.Stdout, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tOWNER\tRUN\tAGE\tEXPIRED")
			for _, f := range found {
				if !f.Owned {
					fmt.Fprintf(w, "%s\tnot Steamer's\t-\t-\t-\n", f.Name)
					continue
				}
				fmt.Fprintf(w, "%s\tsteamer\t%s\t%s\t%t\n", f.Name, f.Owner.Run, time.Since(f.Owner.Created).Round(time.Second), f.Expired)
			}
			return w.Flush()
		},
	}
}

func newClusterGC(state *State) *cobra.Command {
	var all bool
	var on existingGC
	command := &cobra.Command{
		Use: "gc", Short: "Remove Steamer's clusters whose time is over or whose run is gone", Args: cobra.NoArgs,
		Long: `Removes kind clusters of Steamer's whose time is over or whose run is gone. With --context or
--kubeconfig it removes what runs that were killed left on an existing cluster instead: the
namespaces that carry a run's label and were made by this user on this host, by a process that is
gone, with the cluster-wide roles of the charts in them. --run names a run of somebody else or of another
host. --dry-run lists them and stops.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if on.context != "" || on.kubeconfig != "" {
				if all {
					return exit.Invalidf("--all", "leave it out; --run names a run", "it is for kind clusters")
				}
				return on.collect(c.Context(), state)
			}
			if on.run != "" || on.dryRun {
				return exit.Invalidf("--run, --dry-run", "add --context", "they are for existing clusters")
			}
			k, e, err := state.kindToClear(c.Context())
			if err != nil {
				return err
			}
			if k == nil {
				_, err := fmt.Fprintln(state.Stdout, "no engine runs and no cluster is marked: nothing to remove")
				return err
			}
			removed, err := k.GC(c.Context(), all)
			fmt.Fprintf(state.Stdout, "removed %d clusters %v\n", len(removed), removed)
			if err != nil {
				return err
			}
			return stopIdle(c.Context(), k, e)
		},
	}
	command.Flags().BoolVar(&all, "all", false, "remove all of Steamer's clusters, expired or not")
	command.Flags().StringVar(&on.context, "context", "", "kubeconfig context of an existing cluster to remove left namespaces from")
	command.Flags().StringVar(&on.kubeconfig, "kubeconfig", "", "kubeconfig of such a cluster")
	command.Flags().StringVar(&on.run, "run", "", "ID of the run whose namespaces are removed, whoever made them")
	command.Flags().BoolVar(&on.dryRun, "dry-run", false, "list the namespaces of runs on the existing cluster, and stop")
	return command
}

// existingGC removes what runs left on a cluster that is not Steamer's.
type existingGC struct {
	context, kubeconfig, run string
	dryRun                   bool
}

func (g existingGC) collect(ctx context.Context, state *State) error {
	on, err := cluster.Connect(g.kubeconfig, g.context)
	if err != nil {
		return err
	}
	found, err := on.Remains(ctx, g.run)
	if err != nil {
		return err
	}
	removed := 0
	var failures []error
	for _, r := range found {
		what := "stays: " + r.Why
		if r.Ours {
			what = "is to be removed"
		}
		fmt.Fprintf(state.Stdout, "namespace %s of run %s %s\n", r.Namespace, r.Run, what)
		if !r.Ours || g.dryRun {
			continue
		}
		if err := on.RemoveRemains(ctx, r); err != nil {
			failures = append(failures, err)
			continue
		}
		removed++
	}
	_, err = fmt.Fprintf(state.Stdout, "removed %d of %d namespaces of runs\n", removed, len(found))
	return errors.Join(append(failures, err)...)
}

func newEngine(state *State) *cobra.Command {
	command := group(&cobra.Command{Use: "engine", Short: "Start and stop Steamer's private container engine"})
	command.AddCommand(&cobra.Command{
		Use: "up", Short: "Find a running engine, or start a private one", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			opts, err := state.engineOptions()
			if err != nil {
				return err
			}
			e, err := engine.Detect(c.Context(), opts)
			if err != nil {
				return err
			}
			fmt.Fprintln(state.Stdout, e)
			for _, variable := range e.Environ() {
				fmt.Fprintln(state.Stdout, "export "+variable)
			}
			return nil
		},
	}, &cobra.Command{
		Use: "down", Short: "Stop the private engine", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e, err := engine.Running(c.Context())
			if err != nil {
				return nil // nothing runs: that is what was asked for
			}
			return e.Stop(c.Context())
		},
	})
	return command
}
