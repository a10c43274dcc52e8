package campaign

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/plan"
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

// side reads CHART or CHART@VALUES[,VALUES]. What follows the @ of an oci:// reference may be a
// digest.
func (g *Ground) side(ctx context.Context, flag, text string, own []string, fetch chart.Fetcher) (
	compare.ClusterSide, error,
) {
	if text == "" {
		return compare.ClusterSide{}, exit.Invalidf(flag,
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
		return compare.ClusterSide{}, err
	}
	s := compare.ClusterSide{Name: text, Overrides: values}
	source := chart.Source{Name: name}
	if rest, isOCI := strings.CutPrefix(name, "oci://"); isOCI {
		if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") && !strings.Contains(rest, "@") {
			source.Name, source.Version = "oci://"+rest[:i], rest[i+1:]
		}
	}
	s.Chart, err = fetch.Load(ctx, source)
	return s, err
}

// resolve reads both sides, and a plan for the platform that they stand on.
func (g *Ground) resolve(ctx context.Context, sess *session.Session, base, head string, d *compare.Design) (
	*compare.Cluster, error,
) {
	if d.Turns {
		return nil, exit.Invalidf("--turns", "add --local, or leave it out",
			"pod metrics are too coarse for slices that follow one another at once")
	}
	if err := g.checkImages(); err != nil {
		return nil, err
	}
	fetch := sess.Fetcher()
	var sides [2]compare.ClusterSide
	for i, s := range []struct{ flag, text string }{{"--base", base}, {"--head", head}} {
		var err error
		if sides[i], err = g.side(ctx, s.flag, s.text, g.Values[i], fetch); err != nil {
			return nil, err
		}
		sides[i].Images = g.Images[i]
	}
	return g.on(ctx, sess, sides, d)
}

// coarsest is the shortest slice in seconds on an existing cluster, whose kubelets report only
// every 10 to 15 s what pods use.
const coarsest = 120

// on prepares the cluster that both sides are on, and checks everything before anything is
// touched.
func (g *Ground) on(ctx context.Context, sess *session.Session, sides [2]compare.ClusterSide, d *compare.Design) (
	*compare.Cluster, error,
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
	provider, err := sess.Prepare(ctx, builder.Root, p)
	if err != nil {
		return nil, err
	}
	if err := sess.Place(ctx, provider); err != nil {
		return nil, err
	}
	provider.Second, provider.SecondPort = true, g.SecondPort
	for _, s := range sides {
		provider.Also = slices.AppendSeq(provider.Also, maps.Values(s.Images))
	}
	d.Where, d.Tier = g.Topology, provider.Plan.Tier.Name
	c := &compare.Cluster{Provider: provider, Sides: sides}
	return c, c.Preflight(ctx)
}
