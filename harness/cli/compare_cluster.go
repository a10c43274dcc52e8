package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/topology"
)

// clusterFlags say where charts are compared.
type clusterFlags struct {
	plan       plan.Plan
	topology   string
	secondPort int
	images     [2]map[string]string // of one side alone
}

func (f *clusterFlags) add(command *cobra.Command) {
	flags, d := command.Flags(), plan.Default(".")
	f.plan = d
	f.plan.Cluster.Config = "" // the source tree's
	flags.StringVar(&f.topology, "topology", topology.CloudNative, "topology of both: "+strings.Join(topology.Names(),
		" or "))
	flags.StringVar(&f.plan.Dialect, "dialect", d.Dialect, "values dialect of both charts: "+
		strings.Join(topology.Dialects(), ", ")+", or a file")
	flags.StringVar(&f.plan.Tier, "tier", d.Tier, "GitLab sizing tier whose CPU and memory limits both get")
	flags.StringArrayVar(&f.plan.Set, "set", nil, "value for both, in helm's --set syntax; repeatable")
	flags.StringVar(&f.plan.Cluster.Name, "cluster", "", chosenName)
	flags.IntVar(&f.plan.Cluster.Port, "port", 0, fmt.Sprintf(chosenPort, "A"))
	flags.IntVar(&f.secondPort, "second-port", 0, fmt.Sprintf(chosenPort, "B"))
	flags.BoolVar(&f.plan.Cluster.Reuse, "reuse", false,
		"use a kept comparison cluster of yours that no process uses, of this name if one is given, if there is one")
	flags.BoolVar(&f.plan.Cluster.Keep, "keep", false, "leave the cluster and the engine running")
	flags.StringVar(&f.plan.Cluster.Context, "context", "",
		"use the existing cluster of this kubeconfig context instead of kind")
	flags.StringVar(&f.plan.Cluster.Kubeconfig, "kubeconfig", "",
		"kubeconfig of an existing cluster to use instead of kind")
	flags.StringToStringVar(&f.plan.Images, "image", nil,
		"NAME=REFERENCE to use on both sides instead of the image Steamer builds: openbao, postgresql, gitlab-stub")
}

// clusterOnly are the flags that mean something on a cluster only.
func clusterOnly() []string {
	return []string{
		"topology", "dialect", "tier", "set", "cluster", "port", "second-port", "reuse", "keep", "context", "kubeconfig",
		"image", "base-image", "head-image",
	}
}

// addImages adds what may differ beside the charts.
func (f *clusterFlags) addImages(command *cobra.Command) {
	for i, name := range []string{"base", "head"} {
		command.Flags().StringToStringVar(&f.images[i], name+"-image", nil,
			fmt.Sprintf("NAME=REFERENCE that %s alone gets: openbao, postgresql; the cluster pulls it", []string{"A", "B"}[i]))
	}
}

// checkImages reads the images of one side alone.
func (f *clusterFlags) checkImages() error {
	for i, side := range []string{"base", "head"} {
		for image, ref := range f.images[i] {
			flag := fmt.Sprintf("--%s-image %s=%s", side, image, ref)
			if image != images.OpenBao && image != images.PostgreSQL {
				return exit.Invalidf(flag, "choose from "+images.OpenBao+", "+images.PostgreSQL, "one side alone has no such image")
			}
			if err := plan.CheckReference(flag, ref); err != nil {
				return err
			}
		}
	}
	return nil
}

// side reads CHART or CHART@VALUES[,VALUES]. An oci:// reference may hold an @ of its own only
// before the values.
func (f *clusterFlags) side(ctx context.Context, flag, text string, fetch chart.Fetcher) (compare.ClusterSide, error) {
	if text == "" {
		return compare.ClusterSide{}, exit.Invalidf(flag, "name a chart: a directory, a .tgz or oci://REGISTRY/PATH/NAME:VERSION, with @VALUES.yaml if wanted", "it is missing")
	}
	name, files := text, ""
	if i := strings.LastIndex(text, "@"); i >= 0 {
		name, files = text[:i], text[i+1:]
	}
	s := compare.ClusterSide{Name: text, Overrides: map[string]any{}}
	for _, file := range strings.FieldsFunc(files, func(r rune) bool { return r == ',' }) {
		values, err := chart.ReadValues(file)
		if err != nil {
			return compare.ClusterSide{}, err
		}
		s.Overrides = chart.Merge(s.Overrides, values)
	}
	for _, assignment := range f.plan.Set {
		values, err := chart.ParseSet(assignment)
		if err != nil {
			return compare.ClusterSide{}, err
		}
		s.Overrides = chart.Merge(s.Overrides, values)
	}
	source := chart.Source{Name: name}
	if rest, isOCI := strings.CutPrefix(name, "oci://"); isOCI {
		if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") {
			source.Name, source.Version = "oci://"+rest[:i], rest[i+1:]
		}
	}
	var err error
	s.Chart, err = fetch.Load(ctx, source)
	return s, err
}

// resolve reads both sides, and a plan for the platform that they stand on.
func (f *clusterFlags) resolve(ctx context.Context, state *State, base, head string, d *compare.Design) (
	*compare.Cluster, error,
) {
	if d.Turns {
		return nil, exit.Invalidf("--turns", "add --local, or leave it out",
			"a chart's pods are observed too coarsely for it")
	}
	if err := f.checkImages(); err != nil {
		return nil, err
	}
	fetch := state.fetcher()
	var sides [2]compare.ClusterSide
	for i, s := range []struct{ flag, text string }{{"--base", base}, {"--head", head}} {
		var err error
		if sides[i], err = f.side(ctx, s.flag, s.text, fetch); err != nil {
			return nil, err
		}
		sides[i].Images = f.images[i]
	}
	return f.on(ctx, state, sides, d)
}

// coarsest is the shortest slice in seconds on an existing cluster, whose kubelets report only every
// 10 to 15 s what pods use.
const coarsest = 120

// on prepares the cluster that both sides are on, and checks everything before anything is touched.
func (f *clusterFlags) on(ctx context.Context, state *State, sides [2]compare.ClusterSide, d *compare.Design) (
	*compare.Cluster, error,
) {
	if f.plan.Cluster.Existing() && d.Slice < coarsest {
		return nil, exit.Invalidf(fmt.Sprintf("--slice %gs", d.Slice),
			fmt.Sprintf("use --slice %ds --warmup 20s or more, and --budget 0 or enough for the pairs", coarsest),
			"on an existing cluster the kubelets report only every 10 to 15 s what pods use, and shorter slices would all be discarded")
	}
	builder, err := state.builder()
	if err != nil {
		return nil, err
	}
	p, defaults := f.plan, plan.Default(builder.Root)
	p.Topologies, p.Scenarios, p.Load, p.Chart = []string{f.topology}, scenario.None, true, defaults.Chart
	p.Cluster.Config, p.SLO, p.Previous = cmp.Or(p.Cluster.Config, defaults.Cluster.Config), defaults.SLO, ""
	p.Tenants, p.Secrets, p.Set, p.Output = d.Tenants, d.Secrets, nil, "runs"
	provider, _, err := state.prepare(ctx, builder.Root, p)
	if err != nil {
		return nil, err
	}
	if err := state.place(ctx, provider); err != nil {
		return nil, err
	}
	provider.Second, provider.SecondPort = true, f.secondPort
	for _, s := range sides {
		provider.Also = slices.AppendSeq(provider.Also, maps.Values(s.Images))
	}
	d.Where, d.Tier = f.topology, provider.Plan.Tier.Name
	c := &compare.Cluster{Provider: provider, Sides: sides}
	return c, c.Preflight(ctx)
}

func (f *compareFlags) runCluster(ctx context.Context, c *cobra.Command, state *State, q *compare.Quarantine) error {
	for _, name := range []string{"base-config", "head-config", "base-binary", "head-binary"} {
		if c.Flags().Changed(name) {
			return exit.Invalidf("--"+name, "add --local, or change the charts' values", "it belongs to --local")
		}
	}
	on, err := f.cluster.resolve(ctx, state, f.base, f.head, &f.design)
	if err != nil {
		return err
	}
	if f.dryRun {
		return printDesign(state.Stdout, f.design)
	}
	if on.Provider.Elsewhere {
		return state.enter(ctx, on.Provider)
	}
	doc, dir, driven := f.drive(ctx, state, on, q)
	if doc == nil {
		return driven
	}
	return f.finish(ctx, state, doc, dir, driven)
}

// drive compares the sides and writes what came out into a directory of its own. The error is what
// kept it from its end; without one that could be made, there is no comparison either.
func (f *compareFlags) drive(ctx context.Context, state *State, on *compare.Cluster, q *compare.Quarantine) (
	doc *compare.Comparison, dir string, err error,
) {
	doc, dir, logs, err := f.begin(state, "compare")
	if err != nil {
		return nil, "", err
	}
	doc.NotMeasured = []string{"network latency between GitLab, runners, OpenBao and PostgreSQL: everything shares one cluster"}
	if len(on.Sides[0].Images)+len(on.Sides[1].Images) == 0 {
		doc.NotMeasured = append(doc.NotMeasured,
			"another OpenBao that either chart may name by itself: both ran the same image")
	}
	ui := state.ui()
	engine := &compare.Engine{
		Scenarios: f.scenarios, Validity: judge.DefaultValidity(), Quarantine: q, Log: ui.Note,
		Save: func(c *compare.Comparison) error { return compare.WriteFile(filepath.Join(dir, compare.JSONFile), c) },
	}
	return doc, dir, on.Run(ctx, doc, steps.New(ui), engine, logs, func(ctx context.Context) error {
		return engine.Drive(ctx, doc)
	})
}
