package campaign

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/steps"
)

// Gate says what a release gate does beside the run of its plan, and what it requires.
type Gate struct {
	Require    []string // criteria, or changes to the default with + and -
	Mutants    string   // one of MutantChoices
	Seed       uint64   // draws the sample of mutants; 0 for a seed that is drawn
	With       []string // files of further evidence
	Quarantine string   // file of metrics too noisy to have to pass in a comparison; empty for none
	Baseline   string   // file of findings that the static checks may have; empty for none
	Faults     int      // how many faults in each topology, in one installation more; 0 is none
	FaultKinds []string // which, or -NAME to leave one out; nil is all that fit

	Uncompared bool // leave the comparison with the previous release out
	Compared   bool // refuse what keeps the comparison from being made, instead of leaving it out
}

// MutantChoices are the values of Gate.Mutants.
func MutantChoices() []string { return []string{"none", "local", "sample", "all"} }

// gateSample is how many mutants of charts a gate tries, unless it tries all: about as many as fit
// into ten minutes.
const gateSample = 10

// evidence are the files that the gate was given. The quarantine and the baseline are evidence
// like any other, so that gate.json names them and a decision can be derived again.
func (g *Gate) evidence() ([]string, error) {
	_, quarantine := compare.ReadQuarantine(g.Quarantine)
	_, baseline := lint.ReadBaseline(g.Baseline)
	files := slices.DeleteFunc(append(slices.Clone(g.With), g.Quarantine, g.Baseline), func(path string) bool {
		return path == ""
	})
	return files, cmp.Or(quarantine, baseline)
}

// Run does what the gate judges, and decides. The verdict is "" where nothing was judged: a dry
// run, or what kept it from a decision.
func (g *Gate) Run(ctx context.Context, sess *session.Session, root string, p plan.Plan, dryRun bool) (
	result.Verdict, error,
) {
	files, err := g.evidence()
	if err != nil {
		return "", err
	}
	policy, err := g.policy(sess, Question{
		SLO: p.SLO, Tier: p.Tier, Scenarios: p.Scenarios, Topologies: p.Topologies, Require: g.Require,
	})
	if err != nil {
		return "", err
	}
	if policy.Previous, err = releaseAt(p.Previous); err != nil {
		return "", err
	}
	with, err := readAll(files) // found out before the half hour
	if err == nil && with != nil {
		if len(with.Comparisons) > 0 && policy.Previous == nil {
			err = exit.Invalidf("--with "+with.Comparisons[0].Path, "declare it with --previous",
				"it compares with another release, and which one came before is not declared")
		} else {
			err = policy.Admits(with)
		}
	}
	if err != nil {
		return "", err
	}
	if policy.Uncompared, err = g.compares(p, with); err != nil {
		return "", err
	}
	paths, dir, err := g.collect(ctx, root, sess, p, with, &policy, dryRun)
	if ctx.Err() != nil && len(paths) > 0 {
		return g.interrupted(sess, policy, append(paths, files...), dir, err)
	}
	if err != nil || dir == "" {
		return "", err
	}
	evidence, err := gate.Read(append(paths, files...)...)
	if err != nil {
		return "", err
	}
	return decide(sess, policy, evidence, dir, p.Output)
}

// collect runs what the gate judges, with the evidence that is there already; dir is empty where
// only the plan was to be printed.
func (g *Gate) collect(ctx context.Context, root string, sess *session.Session, p plan.Plan, with *gate.Evidence,
	policy *gate.Policy, dryRun bool,
) (paths []string, dir string, err error) {
	r, err := sess.Prepare(ctx, root, p)
	if err != nil {
		return nil, "", err
	}
	if slices.Contains(policy.Required, gate.Load) {
		if from, to := r.Plan.Lengthen(); to > 0 {
			sess.Note(fmt.Sprintf("The load is measured for %s instead of the %s of profile %s: "+
				"that long it takes to decide every objective.", to, from, r.Plan.Profile.Name))
		}
	}
	if with != nil {
		if err := fits(with, r.Plan); err != nil {
			return nil, "", err
		}
	}
	if err := ready(ctx, sess, r); err != nil {
		return nil, "", err
	}
	var comparison *gateComparison
	if policy.Uncompared == "" {
		if comparison, err = g.comparison(ctx, sess, r, p); err != nil {
			return nil, "", err
		}
		policy.Asked = true
	}
	broken, err := g.faults(sess, root, p, policy)
	if err != nil {
		return nil, "", err
	}
	if dryRun {
		if comparison != nil {
			sess.Note(fmt.Sprintf("It would also be compared with %s.", comparison.on.Sides[0].Name))
		}
		if broken != nil {
			sess.Note(fmt.Sprintf("It would also be broken %d times in each topology.", g.Faults))
		}
		p.Duration = r.Plan.Plan.Duration // which the gate may have lengthened
		return nil, "", sess.PrintPlan(p, r.Plan.Outlook())
	}
	for _, line := range r.Plan.Outlook() {
		sess.Note(line)
	}
	if r.Elsewhere {
		return nil, "", g.enter(ctx, sess, r, comparison)
	}
	if dir, err = session.FreshDirectory(p.Output, "gate", time.Now().UTC()); err != nil {
		return nil, "", err
	}
	work := g.work(sess, root, p, r, comparison, dir, policy)
	if broken != nil {
		work.Faults = func(ctx context.Context) ([]string, error) { return broken.do(ctx, dir) }
	}
	paths, err = work.Collect(ctx)
	return paths, dir, err
}

// work is what the gate does; r brings up the platform of its run.
func (g *Gate) work(sess *session.Session, root string, p plan.Plan, r *platform.Provider, comparison *gateComparison,
	dir string, policy *gate.Policy,
) gate.Work {
	work := gate.Work{
		Dir: dir, Steamer: session.Version(), Note: sess.Note, Start: func(part string) func(error) {
			started := time.Now()
			sess.Progress().Start("gate", part)
			return func(err error) { sess.Progress().Done("gate", part, time.Since(started), err) }
		},
		Check: func(ctx context.Context) (*lint.Report, error) { return checkResolved(ctx, r.Plan) },
		Run:   sess.Runner(r).Run,
	}
	if comparison != nil {
		work.Compare = func(ctx context.Context) (string, error) {
			path, err := comparison.do(ctx, sess, dir)
			if err != nil {
				policy.Uncompared = "it did not reach its end: " + steps.OneLine(err)
			}
			return path, err
		}
	}
	if g.Mutants != "none" {
		work.Mutants = func(ctx context.Context) ([]mutation.Outcome, *mutation.Sample, error) {
			m := &Mutants{
				Local: g.Mutants == "local", Cluster: beside(p.Cluster.Name, "-mutants"), Port: p.Cluster.Port, Output: dir,
			}
			if g.Mutants == "sample" {
				m.Sample, m.Seed = gateSample, g.Seed
			}
			list, err := m.Selected(root)
			if err != nil {
				return nil, nil, err
			}
			outcomes, err := m.Try(ctx, sess, list)
			return outcomes, m.Drawn(), err
		}
	}
	return work
}

// enter provides everything that the gate will run, and makes it begin again where its clusters
// can be.
func (g *Gate) enter(ctx context.Context, sess *session.Session, r *platform.Provider,
	comparison *gateComparison,
) error {
	platforms := []*platform.Provider{r}
	if comparison != nil {
		platforms = append(platforms, comparison.on.Provider)
	}
	if g.Mutants != "none" {
		if _, err := sess.OpenBao(ctx); err != nil {
			return err
		}
	}
	return sess.Enter(ctx, platforms...)
}

// fits refuses evidence about another chart than the plan's, or about other values.
func fits(with *gate.Evidence, p *plan.Resolved) error {
	about, err := with.Chart()
	switch values := chart.DigestValues(p.Overrides); {
	case err != nil || about.Digest == "":
	case about.Digest != p.Chart.Info().Digest:
		err = exit.Invalidf("--with", "leave it out, or judge the chart that it is about",
			"it is about %s %s (%s), and the chart to judge is another (%s)",
			about.Name, about.Version, about.Digest, p.Chart.Info().Digest)
	case about.Values != values:
		err = exit.Invalidf("--with", "leave it out, or judge the chart with the values that it is about",
			"it was produced with other values than those of --values and --set (%q, %q)",
			about.Values, values)
	}
	for _, b := range with.Baselines {
		if name := p.Chart.Info().Name; err == nil && b.Doc.Chart != name {
			err = exit.Invalidf("--baseline "+b.Path, "use the one that was made for this chart",
				"it is of chart %q, and the chart to judge is %q", b.Doc.Chart, name)
		}
	}
	return err
}

// checkResolved checks the chart of a plan as it is to be installed, its values included.
func checkResolved(ctx context.Context, p *plan.Resolved) (*lint.Report, error) {
	return lint.Run(ctx, p.Chart, lint.Options{Values: p.Overrides, Dialect: lint.Auto})
}

// interrupted decides on what was recorded before an interrupt: a FAIL that it proves stands, and
// is written. Otherwise there is no decision, and why is what the gate ends with.
func (g *Gate) interrupted(sess *session.Session, policy gate.Policy, paths []string, dir string, why error) (
	result.Verdict, error,
) {
	evidence, err := gate.Read(paths...)
	if err != nil {
		return "", why
	}
	d, err := gate.Decide(evidence, policy)
	if err != nil || d.Verdict != result.Fail {
		return "", why
	}
	d.NotJudged = append(d.NotJudged, "what came after the interrupt")
	return write(sess, d, dir, "")
}

// decide concludes from evidence; dir is where the decision goes, or empty for a new directory
// below output.
func decide(sess *session.Session, policy gate.Policy, evidence *gate.Evidence, dir, output string) (
	result.Verdict, error,
) {
	d, err := gate.Decide(evidence, policy)
	if err != nil {
		return "", err
	}
	return write(sess, d, dir, output)
}

// write writes and prints the decision.
func write(sess *session.Session, d *gate.Decision, dir, output string) (result.Verdict, error) {
	d.Made, d.Steamer, d.Reproduce = time.Now().UTC(), session.Version(), sess.CommandLine()
	if dir == "" {
		var err error
		if dir, err = session.FreshDirectory(output, "gate", d.Made); err != nil {
			return "", err
		}
	}
	files := []*gate.File{d.Objectives}
	for i := range d.Evidence {
		files = append(files, &d.Evidence[i])
	}
	for _, file := range files { // the directory may move together with the runs beside it
		if abs, err := filepath.Abs(file.Path); err == nil {
			if rel, err := filepath.Rel(dir, abs); err == nil {
				file.Path = rel
			}
		}
	}
	if err := report.WriteDecision(dir, d); err != nil {
		return "", err
	}
	if err := session.Print(sess, d, gate.Encode, func(w io.Writer) error {
		return report.DecisionSummary(w, d, sess.Colour)
	}); err != nil {
		return "", err
	}
	_, err := fmt.Fprintf(sess.Aside(), "\nDirectory: %s\n", dir)
	return d.Verdict, err
}
