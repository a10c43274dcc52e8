package campaign

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/session"
)

// Ground says where charts are compared.
type Ground struct {
	// Plan says on which cluster, with which dialect, tier, images and values of both sides.
	Plan       plan.Plan
	Topology   string
	SecondPort int                  // loopback port of B; 0 is a free one
	Images     [2]map[string]string // of one side alone, by their names
	Values     [2][]string          // values files of one side alone, over those of the plan
}

// checkImages reads the images of one side alone.
func (g *Ground) checkImages() error {
	for i, side := range []string{"base", "head"} {
		for image, ref := range g.Images[i] {
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

// side reads CHART or CHART@VALUES[,VALUES]. What follows the @ of an oci:// reference may be a digest.
func (g *Ground) side(ctx context.Context, flag, text string, own []string, fetch chart.Fetcher) (side, error) {
	if text == "" {
		return side{}, exit.Invalidf(flag,
			"name a chart: a directory, a .tgz or oci://REGISTRY/PATH/NAME:VERSION, with @VALUES.yaml if wanted",
			"it is missing")
	}
	name, files := text, ""
	if i := strings.LastIndex(text, "@"); i >= 0 && !strings.HasPrefix(text[i:], "@sha256:") {
		name, files = text[:i], text[i+1:]
	}
	named := strings.FieldsFunc(files, func(r rune) bool { return r == ',' })
	values, err := chart.ReadOverrides(slices.Concat(g.Plan.Values, named, own), g.Plan.Set)
	if err != nil {
		return side{}, err
	}
	s := side{text: text, overrides: values}
	source := chart.Source{Name: name}
	if rest, isOCI := strings.CutPrefix(name, "oci://"); isOCI {
		if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") && !strings.Contains(rest, "@") {
			source.Name, source.Version = "oci://"+rest[:i], rest[i+1:]
		}
	}
	s.chart, err = fetch.Load(ctx, source)
	return s, err
}

// resolve reads both sides and a plan for the ground they stand on.
func (g *Ground) resolve(ctx context.Context, sess *session.Session, base, head string, d *compare.Design) (r *run.Run,
	sides [2]side, err error,
) {
	if d.Turns {
		return nil, sides, exit.Invalidf("--turns", "add --local, or leave it out",
			"pod metrics are too coarse for slices that follow one another at once")
	}
	if err := g.checkImages(); err != nil {
		return nil, sides, err
	}
	fetch := sess.Fetcher()
	for i, s := range []struct{ flag, text string }{{"--base", base}, {"--head", head}} {
		if sides[i], err = g.side(ctx, s.flag, s.text, g.Values[i], fetch); err != nil {
			return nil, sides, err
		}
	}
	r, err = g.ground(ctx, sess, sides, d)
	return r, sides, err
}

// coarsest is the shortest slice in seconds on an existing cluster, whose kubelets report only every
// 10 to 15 s what pods use.
const coarsest = 120

// ground makes the run that both sides stand on, and looks at everything before anything is
// touched.
func (g *Ground) ground(ctx context.Context, sess *session.Session, sides [2]side, d *compare.Design) (*run.Run,
	error,
) {
	if g.Plan.Cluster.Existing() && d.Slice < coarsest {
		return nil, exit.Invalidf(fmt.Sprintf("--slice %gs", d.Slice),
			fmt.Sprintf("use --slice %ds --warmup 20s or more, and --budget 0 or enough for the pairs", coarsest),
			"on an existing cluster the kubelets report CPU only every 10 to 15 s, and shorter slices would all be discarded")
	}
	builder, err := sess.Builder()
	if err != nil {
		return nil, err
	}
	p, defaults := g.Plan, plan.Default(builder.Root)
	p.Topologies, p.Scenarios, p.Load, p.Chart = []string{g.Topology}, scenario.None, true, defaults.Chart
	p.Cluster.Config, p.SLO, p.Previous = cmp.Or(p.Cluster.Config, defaults.Cluster.Config), defaults.SLO, ""
	p.Tenants, p.Secrets, p.Values, p.Set, p.Output = d.Tenants, d.Secrets, nil, nil, "runs"
	r, err := sess.Prepare(ctx, builder.Root, p)
	if err != nil {
		return nil, err
	}
	if err := sess.Place(ctx, r); err != nil {
		return nil, err
	}
	r.Second, r.SecondPort = true, g.SecondPort
	for _, own := range g.Images {
		r.Also = slices.AppendSeq(r.Also, maps.Values(own))
	}
	d.Where, d.Tier = g.Topology, r.Plan.Tier.Name
	for i, s := range sides {
		if err := r.PreflightSide(s.chart, s.overrides, i == 1); err != nil {
			return nil, fmt.Errorf("%s: %w", s.text, err)
		}
	}
	return r, r.PreflightGround(ctx)
}

// Charts compares two charts on a cluster and writes and prints what came out. The verdict is "" where
// nothing was judged: a dry run, or what kept it from being driven.
func (c *Comparison) Charts(ctx context.Context, sess *session.Session) (result.Verdict, error) {
	r, sides, err := c.Ground.resolve(ctx, sess, c.Base, c.Head, &c.Design)
	if err != nil {
		return "", err
	}
	if c.DryRun {
		return "", printDesign(sess.Stdout, c.Design)
	}
	if r.Elsewhere {
		return "", sess.Enter(ctx, r)
	}
	doc, dir, driven := c.drive(ctx, sess, r, sides)
	if doc == nil {
		return "", driven
	}
	return c.finish(ctx, sess, doc, dir, driven)
}

// drive compares the sides and writes what came out into a directory of its own. The error is what
// kept it from its end; without one that could be made, there is no comparison either.
func (c *Comparison) drive(ctx context.Context, sess *session.Session, r *run.Run, sides [2]side) (
	doc *compare.Comparison, dir string, err error,
) {
	doc, dir, logs, err := c.begin(sess, "compare")
	if err != nil {
		return nil, "", err
	}
	doc.NotMeasured = []string{
		"network latency between GitLab, runners, OpenBao and PostgreSQL: everything shares one cluster",
	}
	if len(c.Ground.Images[0])+len(c.Ground.Images[1]) == 0 {
		doc.NotMeasured = append(doc.NotMeasured,
			"another OpenBao that either chart may name by itself: both ran the same image")
	}
	err = r.Use(ctx, doc.ID, func(ctx context.Context, site *run.Site) error {
		arms := c.Ground.arms(site, sides, compare.Generator{
			K6: site.K6, Scripts: filepath.Join(r.Root, "perf/scripts"), Dir: logs,
		}, &c.Design, r.UI.Note)
		engine := &compare.Engine{
			A: arms[0], B: arms[1], Scenarios: c.Scenarios, Validity: judge.DefaultValidity(),
			Quarantine: c.Quarantine, Log: r.UI.Note,
			Save: func(doc *compare.Comparison) error {
				return compare.WriteFile(filepath.Join(dir, compare.JSONFile), doc)
			},
		}
		for i, name := range []string{"A", "B"} {
			site.UndoLater("arm "+name, arms[i].Close)
		}
		if err := site.Step(ctx, "install and provision A and B", func(ctx context.Context) error {
			return engine.Prepare(ctx, doc)
		}); err != nil {
			return err
		}
		return site.Step(ctx, "drive them in turns", func(ctx context.Context) error { return engine.Drive(ctx, doc) })
	})
	return doc, dir, err
}

// arms are both sides on the site.
func (g *Ground) arms(site *run.Site, sides [2]side, generator compare.Generator, d *compare.Design,
	log func(string),
) [2]*compare.ClusterArm {
	var arms [2]*compare.ClusterArm
	for i, s := range sides {
		spec, port := site.Spec(s.chart, s.overrides, i == 1)
		spec.Images.OpenBao = cmp.Or(site.Image(g.Images[i][images.OpenBao]), spec.Images.OpenBao)
		spec.Images.PostgreSQL = cmp.Or(site.Image(g.Images[i][images.PostgreSQL]), spec.Images.PostgreSQL)
		info := s.chart.Info()
		description, pulled := fmt.Sprintf("%s (chart %s %s)", s.text, info.Name, info.Version),
			slices.Sorted(maps.Keys(g.Images[i]))
		for _, name := range pulled {
			description += fmt.Sprintf(", image %s=%s", name, g.Images[i][name])
		}
		arms[i] = &compare.ClusterArm{
			Generator: generator, Description: description, Cluster: site.Cluster, Engine: site.Engine,
			Spec: spec, Port: port, Tenants: d.Tenants, Secrets: d.Secrets, Recipe: d.Recipe, BatchTokens: d.BatchTokens,
			Log: func(line string) { log([]string{"A: ", "B: "}[i] + line) },
		}
	}
	return arms
}
