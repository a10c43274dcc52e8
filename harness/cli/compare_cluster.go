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
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
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

// side is a chart with values.
type side struct {
	text      string // as the user wrote it
	chart     *chart.Chart
	overrides map[string]any
}

// side reads CHART or CHART@VALUES[,VALUES]. An oci:// reference may hold an @ of its own only
// before the values.
func (f *clusterFlags) side(ctx context.Context, flag, text string, fetch chart.Fetcher) (side, error) {
	if text == "" {
		return side{}, exit.Invalidf(flag, "name a chart: a directory, a .tgz or oci://REGISTRY/PATH/NAME:VERSION, with @VALUES.yaml if wanted", "it is missing")
	}
	name, files := text, ""
	if i := strings.LastIndex(text, "@"); i >= 0 {
		name, files = text[:i], text[i+1:]
	}
	s := side{text: text, overrides: map[string]any{}}
	for _, file := range strings.FieldsFunc(files, func(r rune) bool { return r == ',' }) {
		values, err := chart.ReadValues(file)
		if err != nil {
			return side{}, err
		}
		s.overrides = chart.Merge(s.overrides, values)
	}
	for _, assignment := range f.plan.Set {
		values, err := chart.ParseSet(assignment)
		if err != nil {
			return side{}, err
		}
		s.overrides = chart.Merge(s.overrides, values)
	}
	source := chart.Source{Name: name}
	if rest, isOCI := strings.CutPrefix(name, "oci://"); isOCI {
		if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") {
			source.Name, source.Version = "oci://"+rest[:i], rest[i+1:]
		}
	}
	var err error
	s.chart, err = fetch.Load(ctx, source)
	return s, err
}

// resolve reads both sides and a plan for the ground they stand on.
func (f *clusterFlags) resolve(ctx context.Context, state *State, base, head string, d *compare.Design) (r *run.Run,
	sides [2]side, err error,
) {
	if d.Turns {
		return nil, sides, exit.Invalidf("--turns", "add --local, or leave it out",
			"a chart's pods are observed too coarsely for it")
	}
	if err := f.checkImages(); err != nil {
		return nil, sides, err
	}
	fetch := state.fetcher()
	for i, s := range []struct{ flag, text string }{{"--base", base}, {"--head", head}} {
		if sides[i], err = f.side(ctx, s.flag, s.text, fetch); err != nil {
			return nil, sides, err
		}
	}
	r, err = f.ground(ctx, state, sides, d)
	return r, sides, err
}

// coarsest is the shortest slice in seconds on an existing cluster, whose kubelets tell only every
// 10 to 15 s what pods use.
const coarsest = 120

// ground makes the run that both sides stand on, and looks at everything before anything is
// touched.
func (f *clusterFlags) ground(ctx context.Context, state *State, sides [2]side, d *compare.Design) (*run.Run, error) {
	if f.plan.Cluster.Existing() && d.Slice < coarsest {
		return nil, exit.Invalidf(fmt.Sprintf("--slice %gs", d.Slice),
			fmt.Sprintf("use --slice %ds --warmup 20s or more, and --budget 0 or enough for the pairs", coarsest),
			"on an existing cluster the kubelets tell only every 10 to 15 s what pods use, and shorter slices would all be discarded")
	}
	builder, err := state.builder()
	if err != nil {
		return nil, err
	}
	p, defaults := f.plan, plan.Default(builder.Root)
	p.Topologies, p.Scenarios, p.Load, p.Chart = []string{f.topology}, scenario.None, true, defaults.Chart
	p.Cluster.Config, p.SLO, p.Previous = cmp.Or(p.Cluster.Config, defaults.Cluster.Config), defaults.SLO, ""
	p.Tenants, p.Secrets, p.Set, p.Output = d.Tenants, d.Secrets, nil, "runs"
	r, _, err := state.prepare(ctx, builder.Root, p)
	if err != nil {
		return nil, err
	}
	if err := state.place(ctx, r); err != nil {
		return nil, err
	}
	r.Second, r.SecondPort = true, f.secondPort
	for _, own := range f.images {
		r.Also = slices.AppendSeq(r.Also, maps.Values(own))
	}
	d.Where, d.Tier = f.topology, r.Plan.Tier.Name
	for i, s := range sides {
		if err := r.PreflightSide(s.chart, s.overrides, i == 1); err != nil {
			return nil, fmt.Errorf("%s: %w", s.text, err)
		}
	}
	return r, r.PreflightGround(ctx)
}

func (f *compareFlags) runCluster(ctx context.Context, c *cobra.Command, state *State, q *compare.Quarantine) error {
	for _, name := range []string{"base-config", "head-config", "base-binary", "head-binary"} {
		if c.Flags().Changed(name) {
			return exit.Invalidf("--"+name, "add --local, or change the charts' values", "it belongs to --local")
		}
	}
	r, sides, err := f.cluster.resolve(ctx, state, f.base, f.head, &f.design)
	if err != nil {
		return err
	}
	if f.dryRun {
		return printDesign(state.Stdout, f.design)
	}
	if r.Elsewhere {
		return state.enter(ctx, r)
	}
	doc, dir, driven := f.drive(ctx, state, r, sides, q)
	if doc == nil {
		return driven
	}
	return f.finish(ctx, state, doc, dir, driven)
}

// drive compares the sides and writes what came out into a directory of its own. The error is what
// kept it from its end; without one that could be made, there is no comparison either.
func (f *compareFlags) drive(ctx context.Context, state *State, r *run.Run, sides [2]side, q *compare.Quarantine) (
	doc *compare.Comparison, dir string, err error,
) {
	doc, dir, logs, err := f.begin(state, "compare")
	if err != nil {
		return nil, "", err
	}
	doc.NotMeasured = []string{"network latency between GitLab, runners, OpenBao and PostgreSQL: everything shares one cluster"}
	if len(f.cluster.images[0])+len(f.cluster.images[1]) == 0 {
		doc.NotMeasured = append(doc.NotMeasured,
			"another OpenBao that either chart may name by itself: both ran the same image")
	}
	err = r.Use(ctx, doc.ID, func(ctx context.Context, site *run.Site) error {
		arms, err := f.cluster.arms(site, sides, target.Generator{
			K6: site.K6, Scripts: filepath.Join(r.Root, "perf/scripts"),
			Dir: logs,
		}, &f.design, false, r.UI.Note)
		if err != nil {
			return err
		}
		engine := &compare.Engine{
			A: arms[0], B: arms[1], Scenarios: f.scenarios, Validity: judge.DefaultValidity(), Quarantine: q, Log: r.UI.Note,
			Save: func(c *compare.Comparison) error { return compare.WriteFile(filepath.Join(dir, compare.JSONFile), c) },
		}
		site.UndoLater("A and B", engine.Close)
		if err := site.Step(ctx, "install and provision A and B", func(ctx context.Context) error {
			return engine.Prepare(ctx,
				doc)
		}); err != nil {
			return err
		}
		return site.Step(ctx, "drive them in turns", func(ctx context.Context) error { return engine.Drive(ctx, doc) })
	})
	return doc, dir, err
}

// arms are both sides on the site, behind a proxy each if their answers are to be delayed.
func (f *clusterFlags) arms(site *run.Site, sides [2]side, g target.Generator, d *compare.Design, proxied bool,
	log func(string),
) (arms [2]compare.Side, err error) {
	recipes, err := d.Recipes()
	if err != nil {
		return arms, err
	}
	for i, s := range sides {
		spec, port := site.Spec(s.chart, s.overrides, i == 1)
		spec.Images.OpenBao = cmp.Or(site.Image(f.images[i][images.OpenBao]), spec.Images.OpenBao)
		spec.Images.PostgreSQL = cmp.Or(site.Image(f.images[i][images.PostgreSQL]), spec.Images.PostgreSQL)
		info := s.chart.Info()
		description, pulled := fmt.Sprintf("%s (chart %s %s)", s.text, info.Name, info.Version),
			slices.Sorted(maps.Keys(f.images[i]))
		for _, name := range pulled {
			description += fmt.Sprintf(", image %s=%s", name, f.images[i][name])
		}
		arm := &compare.ClusterArm{
			Generator: g, Cluster: site.Cluster, Engine: site.Engine, Spec: spec, Port: port, Secrets: d.Secrets,
			Recipes: recipes, Proxied: proxied, Log: func(line string) { log([]string{"A: ", "B: "}[i] + line) },
		}
		arms[i] = compare.Side{Description: description, Open: arm.Open}
	}
	return arms, nil
}
