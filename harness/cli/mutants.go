package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/report/campaign"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/source"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

const mutantsLong = `Breaks the charts, the recipes and the server's configuration on purpose, one defect at a time and
each on a throw-away copy, and runs the scenarios that should notice. A mutant that no scenario
kills shows what the suite would let through.

The mutants are data in ` + mutation.Dir + `. Those of recipes and of the server's configuration
run on OpenBao and PostgreSQL processes; those of charts are installed on a kind cluster, after the
charts as they are have passed the same scenarios there. Exit code 0: every mutant was killed or
says why it cannot be; 1: one survived.`

// mutantsFlags are the flags of steamer mutants.
type mutantsFlags struct {
	pattern, markdown, json, cluster, output string
	list, local, keep                        bool
	port                                     int
}

func newMutants(state *State) *cobra.Command {
	f := &mutantsFlags{}
	command := &cobra.Command{
		Use: "mutants", Short: "Prove that the scenarios can fail: break things on purpose and see who notices",
		Long: mutantsLong, Args: cobra.NoArgs,
		Example: `  steamer mutants
  steamer mutants --local                  # without a cluster: a minute
  steamer mutants --run '^service-' --keep
  steamer mutants --markdown docs/mutants.md`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), state) },
	}
	flags, d := command.Flags(), plan.Default(".")
	flags.StringVar(&f.pattern, "run", "", "only mutants whose ID matches this regular expression (RE2, unanchored)")
	flags.BoolVar(&f.list, "list", false, "list the mutants and the scenarios that should catch them, and stop")
	flags.BoolVar(&f.local, "local", false, "only the mutants that need no cluster")
	flags.BoolVar(&f.keep, "keep", false, "leave the cluster and the engine running")
	flags.StringVar(&f.markdown, "markdown", "", "file for the outcomes as Markdown")
	flags.StringVar(&f.json, "json", "", "file for the outcomes as JSON, which steamer gate reads")
	flags.StringVar(&f.cluster, "cluster", "", chosenName+"; a kept one of yours is reused")
	flags.IntVar(&f.port, "port", 0, fmt.Sprintf(chosenPort, "OpenBao"))
	flags.StringVar(&f.output, "output", filepath.Join(d.Output, "mutants"),
		"directory that the run directories are made in")
	return command
}

func (f *mutantsFlags) run(ctx context.Context, state *State) error {
	builder, err := state.builder()
	if err != nil {
		return err
	}
	list, err := f.selected(builder.Root)
	if err != nil {
		return err
	}
	if f.list {
		return listMutants(state, list)
	}
	for flag, path := range map[string]string{"--markdown ": f.markdown, "--json ": f.json} {
		if path == "" {
			continue
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644) // found out now, and not after half an hour
		if err != nil {
			return exit.Invalidf(flag+path, "name a file that can be written", "%w", err)
		}
		_ = file.Close()
	}
	outcomes, err := f.tryAll(ctx, state, builder, list)
	survivor := slices.ContainsFunc(outcomes, func(o mutation.Outcome) bool { return o.Status == mutation.Survived })
	if err != nil && survivor { // that one survived stands, whatever kept the others from being tried
		fmt.Fprintln(state.Stderr, "steamer:", err)
		fmt.Fprintln(state.Stdout, mutation.Summary(outcomes))
		return verdictError(exit.Fail)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(state.Stdout, mutation.Summary(outcomes))
	if err := f.write(outcomes); err != nil {
		return err
	}
	if !slices.ContainsFunc(outcomes, func(o mutation.Outcome) bool { return !o.Sound() }) {
		return nil
	}
	return verdictError(exit.Fail)
}

// try tries the mutants that the flags ask for and writes nothing.
func (f *mutantsFlags) try(ctx context.Context, state *State) ([]mutation.Outcome, error) {
	builder, err := state.builder()
	if err != nil {
		return nil, err
	}
	list, err := f.selected(builder.Root)
	if err != nil {
		return nil, err
	}
	return f.tryAll(ctx, state, builder, list)
}

func (f *mutantsFlags) tryAll(ctx context.Context, state *State, builder *images.Builder, list []mutation.Mutant) (
	[]mutation.Outcome, error,
) {
	builder.Progress = progressLines(state.Stderr)
	binary, err := builder.OpenBaoBinary(ctx)
	if err != nil {
		return nil, exit.Environmentf("program bao", "steamer doctor", "%w", err)
	}
	if _, there := split(list); len(there) > 0 {
		if err := f.place(ctx, state, builder.Root); err != nil {
			return nil, err
		}
	}
	local := &mutation.Local{Root: builder.Root, Binary: binary, Scenarios: scenarios.All()}
	defer local.Close()
	report := func(o mutation.Outcome) {
		mark := map[bool]string{true: "✓", false: "✗"}[o.Sound()]
		fmt.Fprintf(state.Stderr, "%s %-9s %s (%.1f s) %s %s\n", mark, o.Status, o.Mutant.ID, o.Seconds, o.By,
			firstLine(o.Reason))
	}
	here, there := split(list)
	outcomes, err := mutation.Each(ctx, here, local.Try, report)
	if err == nil && len(there) > 0 {
		var more []mutation.Outcome
		more, err = f.onCluster(ctx, state, there, report)
		outcomes = append(outcomes, more...)
	}
	return outcomes, err
}

// place makes the command begin again where its cluster can be, unless it is there.
func (f *mutantsFlags) place(ctx context.Context, state *State, root string) error {
	p, err := f.base(state, root)
	if err != nil {
		return err
	}
	p.Load = false
	r, _, err := state.prepare(ctx, root, p)
	if err != nil {
		return err
	}
	if err := state.place(ctx, r); err != nil || !r.Elsewhere {
		return err
	}
	return state.enter(ctx, r)
}

// base is the plan of the runs on a cluster, all of one name.
func (f *mutantsFlags) base(state *State, root string) (plan.Plan, error) {
	p := plan.Default(root)
	if f.cluster == "" {
		me, err := state.identity()
		if err != nil {
			return p, err
		}
		f.cluster = me.DefaultName() + "-mutants"
	}
	p.Cluster.Name, p.Cluster.Port, p.Output = f.cluster, f.port, f.output
	return p, nil
}

// selected reads the mutants and keeps those that the flags ask for.
func (f *mutantsFlags) selected(root string) ([]mutation.Mutant, error) {
	list, err := mutation.Read(root, scenarios.All())
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(f.pattern)
	if err != nil {
		return nil, exit.Invalidf("--run "+f.pattern, "use RE2 syntax, e.g. --run '^service-'", "%w", err)
	}
	list = slices.DeleteFunc(list, func(m mutation.Mutant) bool { return !re.MatchString(m.ID) || f.local && !m.Local() })
	if len(list) == 0 {
		return nil, exit.Invalidf("--run "+f.pattern, "steamer mutants --list shows the IDs", "no mutant's ID matches")
	}
	return list, nil
}

func split(list []mutation.Mutant) (local, cluster []mutation.Mutant) {
	for _, m := range list {
		if m.Local() {
			local = append(local, m)
		} else {
			cluster = append(cluster, m)
		}
	}
	return local, cluster
}

// onCluster tries mutants of charts, and removes the cluster in the end unless it is to stay.
func (f *mutantsFlags) onCluster(ctx context.Context, state *State, list []mutation.Mutant,
	report func(mutation.Outcome),
) (outcomes []mutation.Outcome, err error) {
	root, err := source.Find(state.root)
	if err != nil {
		return nil, err
	}
	base, err := f.base(state, root)
	if err != nil {
		return nil, err
	}
	c := &mutation.Cluster{Root: root, Base: base, Run: func(ctx context.Context, p *plan.Resolved) (*result.Result,
		error,
	) {
		return state.quietRun(ctx, p)
	}}
	if !f.keep {
		defer func() {
			cleanUp, cancel := context.WithTimeout(context.WithoutCancel(ctx), run.CleanupTimeout)
			defer cancel()
			if downErr := state.down(cleanUp, func(ctx context.Context, k *cluster.Kind) error {
				return k.DeleteMade(ctx,
					f.cluster)
			}); downErr != nil && err == nil {
				err = downErr
			}
		}()
	}
	for _, name := range topology.Names() {
		fmt.Fprintf(state.Stderr, "▶ %s: the charts as they are\n", name)
		started := time.Now()
		if err := c.Control(ctx, name, list); err != nil {
			return nil, err
		}
		fmt.Fprintf(state.Stderr, "✓ %s: they pass (%.1f s)\n", name, time.Since(started).Seconds())
	}
	return mutation.Each(ctx, list, c.Try, report)
}

// quietRun runs a plan whose progress nobody wants to read, on a cluster that stays.
func (s *State) quietRun(ctx context.Context, p *plan.Resolved) (*result.Result, error) {
	r, err := s.newRunOf(p, run.Quiet{})
	if err != nil {
		return nil, err
	}
	if err := r.Preflight(ctx); err != nil {
		return nil, err
	}
	outcome, _, err := r.Do(ctx)
	return outcome, err
}

// write writes the outcomes to the files that the flags name.
func (f *mutantsFlags) write(outcomes []mutation.Outcome) error {
	outcomes = secret.Scrub(outcomes)
	if f.json != "" {
		data, err := mutation.Encode(buildVersion(), time.Now(), outcomes)
		if err != nil {
			return err
		}
		if err := secret.WriteFile(f.json, data, secret.Public); err != nil {
			return err
		}
	}
	if f.markdown == "" {
		return nil
	}
	return secret.WriteFile(f.markdown, []byte(campaign.Mutants(outcomes)), secret.Public)
}

func listMutants(state *State, list []mutation.Mutant) error {
	table := tabwriter.NewWriter(state.Stdout, 0, 0, 2, ' ', 0)
	for _, m := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%v\n", m.ID, m.Kind, m.Breaks, m.Caught)
	}
	return table.Flush()
}

// firstLine shortens a reason for a progress line.
func firstLine(text string) string {
	const most = 160
	line := regexp.MustCompile(`\s+`).ReplaceAllString(secret.Redact(text), " ")
	if runes := []rune(line); len(runes) > most {
		line = string(runes[:most]) + " …"
	}
	return line
}
