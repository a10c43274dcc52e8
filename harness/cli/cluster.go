package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/run"
)

func newCluster(state *State) *cobra.Command {
	command := group(&cobra.Command{
		Use: "cluster", Short: "Make, list and remove Steamer's kind clusters",
		Long: `Clusters that Steamer makes carry an owner mark and a time to live. Only clusters with the mark
are ever reused or removed, whatever their name.`,
	})
	command.AddCommand(newClusterUp(state), newClusterDown(state), newClusterList(state), newClusterGC(state), newClusterExec(state), newClusterProxy(state))
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
		detect = engine.Detect
	}
	e, err := detect(ctx, opts)
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
			b.Progress = progressLines(state.Stderr)
			if elsewhere, err := state.elsewhere(c.Context()); err != nil {
				return err
			} else if elsewhere {
				if _, err := b.Ensure(c.Context(), images.Node); err != nil {
					return err
				}
				return state.begin(c.Context(), handover{})
			}
			k, e, err := state.kindOn(c.Context(), true)
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
			_, err = fmt.Fprintf(state.Stdout, "cluster %s is ready after %.1f s\n%s\n", made.Name, time.Since(started).Seconds(), run.WayIn(e, made))
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
	if err := s.enterExisting(ctx, len(marked) > 0); err != nil {
		return nil, nil, err
	}
	opts, err := s.engineOptions()
	if err != nil {
		return nil, nil, err
	}
	if _, err := engine.Running(ctx, opts); err != nil && len(marked) == 0 && s.namespace == nil {
		if exit.CodeOf(err) == exit.Invalid {
			return nil, nil, err
		}
		return nil, nil, ctx.Err()
	}
	return s.kindOn(ctx, len(marked) > 0 || s.namespace != nil)
}

// down removes a cluster, and stops the private engine when nothing else runs on it.
func (s *State) down(ctx context.Context, name string) error {
	k, _, err := s.kindToClear(ctx)
	if err != nil || k == nil {
		return err
	}
	if err := k.Delete(ctx, name); err != nil {
		return err
	}
	return s.stopIdle(ctx, k)
}

// stopIdle stops a private engine that has no cluster left.
func (s *State) stopIdle(ctx context.Context, k *cluster.Kind) error {
	found, err := k.List(ctx)
	if err != nil || len(found) > 0 {
		return err
	}
	return s.namespace.Clear(ctx)
}

func newClusterList(state *State) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the kind clusters of the engine and whose they are", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := state.enterExisting(c.Context(), false); err != nil {
				return err
			}
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

// alsoPrivate makes the command begin again inside the private engine's network namespace if there is one beside the engine that was seen to.
func (s *State) alsoPrivate(ctx context.Context) error {
	opts, err := s.engineOptions()
	if err != nil {
		return err
	}
	there, err := engine.Exists(opts)
	if err != nil || !there {
		return err
	}
	return s.begin(ctx, handover{})
}

func newClusterGC(state *State) *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use: "gc", Short: "Remove Steamer's clusters whose time is over or whose run is gone", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			k, _, err := state.kindToClear(c.Context())
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
			if state.namespace == nil { // a Docker that was started meanwhile does not hide a private engine
				return state.alsoPrivate(c.Context())
			}
			return state.stopIdle(c.Context(), k)
		},
	}
	command.Flags().BoolVar(&all, "all", false, "remove all of Steamer's clusters, expired or not")
	return command
}
