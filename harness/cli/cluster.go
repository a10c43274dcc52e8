package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
)

func newCluster(state *State) *cobra.Command {
	command := group(&cobra.Command{
		Use: "cluster", Short: "Make, list and remove Steamer's kind clusters",
		Long: `Whatever Steamer makes on a container engine carries a mark: machine, user, checkout, cache, process, run and
time to live. Only what carries the mark of this machine, user, checkout and cache is yours, and only that is ever
reused or removed, whatever its name. What belongs to others, or has a mark that cannot be read, is listed and left alone.`,
	})
	command.AddCommand(newClusterUp(state), newClusterDown(state), newClusterList(state), newClusterGC(state),
		newClusterExec(state), newClusterProxy(state))
	return command
}

// identity is the owner of what the commands make: this user, with the checkout that the command
// works with, if any, and the cache.
func (s *State) identity() (cluster.Identity, error) {
	cache, err := s.cacheDir()
	if err != nil {
		return cluster.Identity{}, err
	}
	root, err := plan.FindRoot(s.root)
	if err != nil && s.root != "" {
		return cluster.Identity{}, err
	}
	return cluster.Me(root, cache)
}

// kindOn connects to a running engine, or starts a private one when start is set.
func (s *State) kindOn(ctx context.Context, start bool) (*cluster.Kind, *engine.Engine, error) {
	me, err := s.identity()
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
	k, err := cluster.NewKind(e, me, func(m string) { fmt.Fprintln(s.Stderr, "  "+m) })
	return k, e, err
}

const (
	chosenName = "name of the kind cluster (default: one that no other checkout or user has)"
	chosenPort = "loopback port that leads to %s (default: a free one)"
)

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
				Name: name, Run: "cluster-up", Config: filepath.Join(b.Root, "kind-config.yaml"), HostPort: port,
				TTL: ttl, Keep: true, ImageDir: filepath.Join(b.Cache, "images"),
			}
			if err := k.Check(c.Context(), opts); err != nil {
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
			_, err = fmt.Fprintf(state.Stdout, "cluster %s is ready after %.1f s, port %d\n%s\n",
				made.Name, time.Since(started).Seconds(), made.HostPort, platform.WayIn(e, made))
			return err
		},
	}
	command.Flags().StringVar(&name, "name", "", chosenName)
	command.Flags().IntVar(&port, "port", 0, fmt.Sprintf(chosenPort, "OpenBao"))
	command.Flags().DurationVar(&ttl, "ttl", 12*time.Hour, "after which cluster gc may remove it, if no process uses it")
	return command
}

func newClusterDown(state *State) *cobra.Command {
	var name string
	command := &cobra.Command{
		Use: "down", Args: cobra.NoArgs,
		Short: "Remove a cluster of yours, and the private engine when nothing else runs on it",
		RunE: func(c *cobra.Command, _ []string) error {
			me, err := state.identity()
			if err != nil {
				return err
			}
			return state.down(c.Context(), func(ctx context.Context, k *cluster.Kind) error {
				return k.Delete(ctx, cmp.Or(name, me.DefaultName()))
			})
		},
	}
	command.Flags().StringVar(&name, "name", "",
		"name of the cluster (default: the name that this checkout's first cluster gets)")
	return command
}

// kindToClear is kindOn for removing clusters. A private engine that died took its clusters'
// containers down and kept their data, and the next run would find them there: so it is started
// where marks say that there is something to remove. Without marks and engine k is nil.
func (s *State) kindToClear(ctx context.Context) (*cluster.Kind, *engine.Engine, error) {
	me, err := s.identity()
	if err != nil {
		return nil, nil, err
	}
	marked, err := cluster.Marked(me)
	if err != nil {
		return nil, nil, err
	}
	if err := s.enterExisting(ctx, marked); err != nil {
		return nil, nil, err
	}
	opts, err := s.engineOptions()
	if err != nil {
		return nil, nil, err
	}
	if _, err := engine.Running(ctx, opts); err != nil && !marked && s.namespace == nil {
		if exit.CodeOf(err) == exit.Invalid {
			return nil, nil, err
		}
		return nil, nil, ctx.Err()
	}
	return s.kindOn(ctx, marked || s.namespace != nil)
}

// down removes clusters as remove says, and stops the private engine when nothing else runs on it.
func (s *State) down(ctx context.Context, remove func(context.Context, *cluster.Kind) error) error {
	k, _, err := s.kindToClear(ctx)
	if err != nil || k == nil {
		return err
	}
	if err := remove(ctx, k); err != nil {
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
	var output string
	command := &cobra.Command{
		Use: "list", Short: "List the kind clusters of the engine and whose they are", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return exit.Invalidf("--output "+output, "choose from table, json", "there is no such form")
			}
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
			if output == "json" {
				encoder := json.NewEncoder(state.Stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(append([]cluster.Found{}, found...))
			}
			return listClusters(state.Stdout, found, time.Now())
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return command
}

// listClusters prints clusters with what their marks say.
func listClusters(w io.Writer, found []cluster.Found, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tWHOSE\tOWNER\tRUN\tAGE\tIN USE\tKEPT UNTIL\tEXPIRED")
	for _, f := range found {
		o := f.Owner
		if o == nil {
			fmt.Fprintf(table, "%s\t%s\t%s\t-\t-\t-\t-\t-\n", f.Name, f.Whose, cmp.Or(f.Problem, "not Steamer's"))
			continue
		}
		until := "its run ends"
		if o.Keep {
			until = o.Created.Add(o.TTL).Format(time.RFC3339)
		}
		expired := "-" // that is for its owner to say
		if f.Whose == cluster.Mine {
			expired = strconv.FormatBool(f.Expired)
		}
		used := map[cluster.Life]string{cluster.Alive: "yes", cluster.Gone: "no", cluster.Unknown: "unknown"}[f.Life]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			f.Name, f.Whose, o.Identity, o.Run, now.Sub(o.Created).Round(time.Second), used, until, expired)
	}
	return table.Flush()
}

// alsoPrivate makes the command begin again inside the private engine's network namespace if there
// is one beside the engine that was seen to.
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
	var on existingGC
	command := &cobra.Command{
		Use: "gc", Short: "Remove clusters of yours whose run is gone, and kept ones whose time is over", Args: cobra.NoArgs,
		Long: `Removes clusters that carry the mark of this machine, user, checkout and cache: those whose run is gone, and kept ones
whose time to live is over. A cluster that a process still uses stays, whatever its time to live. Nothing of others is touched.

With --context or --kubeconfig it removes what runs that were killed left on an existing cluster instead: the
namespaces that carry a run's label and were made by this user on this machine, by a process that is
gone, with the cluster-wide roles of the charts in them. --run names a run of somebody else or of another
machine. --dry-run lists them and stops.`,
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
			k, _, err := state.kindToClear(c.Context())
			if err != nil {
				return err
			}
			if k == nil {
				_, err := fmt.Fprintln(state.Stdout, "no engine runs and no cluster is marked: nothing to remove")
				return err
			}
			removed, used, err := k.GC(c.Context(), all)
			fmt.Fprintf(state.Stdout, "removed %d clusters %v\n", len(removed), removed)
			for _, name := range used {
				fmt.Fprintf(state.Stdout, "cluster %s stays: a process of yours uses it, or may use it\n", name)
			}
			if err != nil {
				return err
			}
			if state.namespace == nil { // a Docker that was started meanwhile does not hide a private engine
				return state.alsoPrivate(c.Context())
			}
			return state.stopIdle(c.Context(), k)
		},
	}
	command.Flags().BoolVar(&all, "all", false, "remove all clusters of yours that no process uses, kept ones, too")
	command.Flags().StringVar(&on.context, "context", "",
		"kubeconfig context of an existing cluster to remove left namespaces from")
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
