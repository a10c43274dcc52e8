package campaign

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target/kind"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

// The forms in which an upgrade report is printed.
const (
	FormatText     = "text"
	FormatMarkdown = "markdown"
	FormatJSON     = "json"
)

// Upgrade says which upgrades are tried.
type Upgrade struct {
	From, To []string // versions, paths, or upgrade.Head
	Releases string   // where versions are, see upgrade.Releases
	// FromImage and ToImage are images of OpenBao at one end alone; empty: that of the plan.
	FromImage, ToImage string
	// FromValues and ToValues are values files of one end alone, over those of the plan.
	FromValues, ToValues []string
	Pairs                bool // also from each of the chart's ci/*-values.yaml to each other
	Predict              bool // render only
	Rollback             bool // roll each upgrade back, also where the chart does not say that it can
	Most                 int  // edges that are confirmed at most; 0: all
	Format               string
}

// quietEdges is how many upgrades are predicted in so short a time that no progress is shown.
const quietEdges = 10

// Run tries the upgrades and prints what came out. The verdict is "" where nothing was judged.
func (u *Upgrade) Run(ctx context.Context, sess *session.Session, root string, p plan.Plan) (result.Verdict, error) {
	started := time.Now().UTC()
	p.Load, p.Scenarios, p.Previous = false, scenario.None, ""
	provider, err := sess.Prepare(ctx, root, p)
	if err != nil {
		return "", err
	}
	setting := upgrade.Setting{
		Dialect: provider.Plan.Dialect, Topology: provider.Plan.Topologies[0], Outages: provider.Plan.Objectives.Outages,
		Namespaces: 3 * p.Tenants, // organisation, group and project
	}
	edges, err := u.edges(ctx, sess, provider.Plan, setting)
	if err != nil {
		return "", err
	}
	outcomes, err := upgrade.Outcomes(edges, setting, func(done int) {
		if len(edges) > quietEdges {
			sess.Progress().Progress("predicted upgrades", done, len(edges))
		}
	})
	if err != nil {
		return "", err
	}
	r := &upgrade.Report{
		APIVersion: upgrade.APIVersion, Kind: upgrade.Kind, Topology: setting.Topology, Predicted: u.Predict, Edges: outcomes,
		Started: started, Reproduce: sess.CommandLine(),
	}
	if u.Predict {
		r.Conclude()
		r.Seconds = time.Since(started).Seconds()
		return r.Verdict, u.print(sess.Stdout, r)
	}
	u.skip(edges, r)
	if err := u.preflight(ctx, sess, provider, edges, r); err != nil {
		return "", err
	}
	if provider.Elsewhere {
		return "", sess.Enter(ctx, provider)
	}
	dir, err := session.Directory(p.Output, "upgrade")
	if err != nil {
		return "", err
	}
	failed := u.confirm(ctx, provider, steps.New(sess.Progress()), edges, r, dir)
	r.Conclude()
	r.Seconds = time.Since(started).Seconds()
	written := errors.Join(pages.WriteUpgrade(dir, r), u.print(sess.Stdout, r))
	if u.Format == FormatText {
		fmt.Fprintln(sess.Stdout, "Files:", dir)
	}
	return r.Verdict, errors.Join(failed, written)
}

// edges resolves what the flags name. Errors are of code exit.Invalid.
func (u *Upgrade) edges(ctx context.Context, sess *session.Session, p *plan.Resolved, s upgrade.Setting) (
	[]upgrade.Edge, error,
) {
	releases := upgrade.Releases{Place: cmp.Or(u.Releases, p.Repo), Head: p.Chart, Fetch: sess.Fetcher()}
	image := p.Images[images.OpenBao]
	stop := func(flag, name, image string, files []string) (upgrade.Stop, error) {
		c, err := releases.Find(ctx, flag, name)
		if err != nil {
			return upgrade.Stop{}, err
		}
		own, err := chart.ReadOverrides(files, nil)
		if err != nil {
			return upgrade.Stop{}, err
		}
		label := name
		for _, file := range files {
			label += " " + filepath.Base(file)
		}
		if image != "" {
			label += " " + image
		}
		return upgrade.Stop{Name: label, Chart: c, Image: image, Values: chart.Merge(p.Overrides, own)}, nil
	}
	var edges []upgrade.Edge
	for _, to := range u.To {
		last, err := stop("--to", to, cmp.Or(u.ToImage, image), u.ToValues)
		if err != nil {
			return nil, err
		}
		for _, from := range u.From {
			first, err := stop("--from", from, cmp.Or(u.FromImage, image), u.FromValues)
			if err != nil {
				return nil, err
			}
			edge := upgrade.Edge{From: first, To: last}
			if err := edge.CheckImages(); err != nil {
				return nil, err
			}
			said, err := edge.RollsBack()
			if err != nil {
				return nil, err
			}
			edge.Back = u.Rollback || said
			edges = append(edges, edge)
		}
	}
	if !u.Pairs {
		return edges, nil
	}
	pairs, err := u.pairs(p, s)
	return append(edges, pairs...), err
}

// pairs are upgrades from each of the chart's values files to each other.
func (u *Upgrade) pairs(p *plan.Resolved, s upgrade.Setting) ([]upgrade.Edge, error) {
	files, err := upgrade.Files(upgrade.Head, p.Chart, p.Images[images.OpenBao])
	if err != nil {
		return nil, err
	}
	for i := range files {
		files[i].Values = p.Overrides
		if files[i].Unfit, err = s.Unfit(files[i]); err != nil {
			return nil, err
		}
	}
	edges := upgrade.Pairs(files)
	for i := range edges {
		edges[i].Back = u.Rollback
	}
	return edges, nil
}

// skip marks the edges that are not confirmed: those that a test cluster cannot have, and those
// beyond the number that was asked for.
func (u *Upgrade) skip(edges []upgrade.Edge, r *upgrade.Report) {
	confirmed := 0
	for i, e := range edges {
		switch {
		case e.From.Unfit != "":
			r.Edges[i].Skipped = e.From.Name + ": " + e.From.Unfit
		case e.To.Unfit != "":
			r.Edges[i].Skipped = e.To.Name + ": " + e.To.Unfit
		case u.Most > 0 && confirmed >= u.Most:
			r.Edges[i].Skipped = fmt.Sprintf("only %d are confirmed, as --edges says", u.Most)
		default:
			confirmed++
		}
	}
}

// preflight renders every end that is installed, and finds out whether the cluster can be had.
func (u *Upgrade) preflight(ctx context.Context, sess *session.Session, provider *platform.Provider,
	edges []upgrade.Edge, r *upgrade.Report,
) error {
	if err := sess.Place(ctx, provider); err != nil {
		return err
	}
	for _, image := range []string{u.FromImage, u.ToImage} {
		if image != "" {
			provider.Also = append(provider.Also, image)
		}
	}
	var wanted []platform.Wanted
	for i, e := range edges {
		if r.Edges[i].Skipped == "" {
			for _, stop := range []upgrade.Stop{e.From, e.To} {
				wanted = append(wanted, platform.Wanted{Name: stop.Name, Spec: with(provider.Spec(r.Topology), stop)})
			}
		}
	}
	return provider.Preflight(ctx, wanted...)
}

// with is a Spec that installs a stop.
func with(spec topology.Spec, stop upgrade.Stop) topology.Spec {
	spec.Chart, spec.Base, spec.Overrides = stop.Chart, stop.Base, stop.Values
	return spec
}

// confirm brings up the platform, tries the edges, and removes everything, also after ctx was
// cancelled. Edges that were not tried are left without a judgement.
func (u *Upgrade) confirm(ctx context.Context, provider *platform.Provider, s *steps.Steps, edges []upgrade.Edge,
	r *upgrade.Report, dir string,
) (err error) {
	defer func() {
		err = errors.Join(err, s.Clean(ctx))
		for i := range r.Edges {
			if o := &r.Edges[i]; o.Skipped == "" && o.Confirmed == nil && o.Verdict == result.Pass {
				o.Verdict, o.Reasons = result.Inconclusive, []string{"it was not confirmed on the cluster"}
			}
		}
	}()
	on, err := provider.Up(ctx, result.NewID(r.Started), s)
	if err != nil {
		return err
	}
	c := u.confirmer(provider, on, s, r, dir)
	done, wanted := 0, 0
	for i := range edges {
		if r.Edges[i].Skipped == "" {
			wanted++
		}
	}
	for i, e := range edges {
		if r.Edges[i].Skipped != "" {
			continue
		}
		done++
		name := fmt.Sprintf("upgrade %d of %d, %s", done, wanted, e)
		if err := s.Do(ctx, "", name, func(ctx context.Context) error {
			return c.Confirm(ctx, e, &r.Edges[i])
		}); err != nil {
			return errors.Join(err, c.Leave(ctx))
		}
	}
	return c.Leave(ctx)
}

func (u *Upgrade) confirmer(provider *platform.Provider, on *platform.Platform, s *steps.Steps, r *upgrade.Report,
	dir string,
) *upgrade.Confirmer {
	removal := map[*kind.Target]*steps.Undo{}
	return &upgrade.Confirmer{
		Note: s.UI.Note,
		Spec: func(stop upgrade.Stop) topology.Spec {
			spec := with(on.Spec(r.Topology), stop)
			if stop.Image != "" && stop.Image != provider.Plan.Images[images.OpenBao] {
				spec.Images.OpenBao = cmp.Or(on.Image(stop.Image), stop.Image)
			}
			return spec
		},
		Open: func(ctx context.Context, spec topology.Spec) (*kind.Target, error) {
			t, err := kind.New(on, kind.Options{Spec: spec, Secrets: provider.Plan.Secrets, Dir: dir})
			if err != nil {
				return nil, err
			}
			removal[t] = s.Cleanup("what was installed", t.Close)
			if err = t.Install(ctx); err == nil {
				_, err = t.Seed(ctx, provider.Plan.Tenants)
			}
			if err != nil {
				return nil, errors.Join(err, t.Diagnose(ctx, kind.Diagnostics(dir, r.Topology)), removal[t].Now(ctx))
			}
			return t, nil
		},
		Close: func(ctx context.Context, t *kind.Target) error {
			for _, o := range r.Edges {
				if len(o.Reasons) > 0 && o.Verdict == result.Fail && o.Skipped == "" {
					_ = t.Diagnose(ctx, kind.Diagnostics(dir, r.Topology))
					break
				}
			}
			return removal[t].Now(ctx)
		},
	}
}

// print writes the report in the form that was asked for.
func (u *Upgrade) print(w io.Writer, r *upgrade.Report) error {
	switch u.Format {
	case FormatJSON:
		data, err := json.MarshalIndent(secret.Scrub(r), "", " ")
		if err == nil {
			_, err = fmt.Fprintln(w, string(data))
		}
		return err
	case FormatMarkdown:
		_, err := io.WriteString(w, pages.UpgradeMarkdown(r))
		return err
	}
	return pages.UpgradeText(w, r)
}
