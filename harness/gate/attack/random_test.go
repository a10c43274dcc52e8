package attack_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
)

// Which draws to make: each has a seed of its own, so that a failed one can be repeated alone.
var (
	firstSeed = flag.Uint64("attack.seed", 1, "seed of the first draw of random evidence")
	draws     = flag.Int("attack.draws", 20000, "how many draws of random evidence to make")
)

// kind says what an ill has to do to the verdict.
type kind int

const (
	proven  kind = iota // a fault that nothing excuses: FAIL
	finding             // a fault, or the doubt that there is one, which no other run removes: never PASS
	slowed              // a fault that a machine's trouble in the same run excuses: never PASS without
	spoilt              // a machine's trouble, which makes a run say nothing: never FAIL, and no PASS without another run
	shown               // a machine's trouble that may cost a run its verdict, and need not: never FAIL
	gap                 // something that was not done or not recorded, in all runs: neither PASS nor FAIL
)

// ill is one way in which evidence can be bad. Its parameters are drawn when it happens.
type ill struct {
	name   string
	kind   kind
	world  func(*rand.Rand, *dossier, *trial, string) // before anything is counted; the run and topology are drawn
	record func(*rand.Rand, *dossier, *trial, string)
}

// drawn is an ill that befell a run.
type drawn struct {
	ill
	run   int
	where string
}

// draw is random evidence with what is wrong with it.
type draw struct {
	*dossier
	ills []drawn
}

// must says which verdicts the evidence may get.
func (d *draw) must() []result.Verdict {
	allowed := []result.Verdict{result.Pass, result.Inconclusive}
	never := func(v result.Verdict) {
		allowed = slices.DeleteFunc(allowed, func(x result.Verdict) bool { return x == v })
	}
	faulty := false
	for _, i := range d.ills {
		excused := slices.ContainsFunc(d.ills, func(o drawn) bool {
			return !o.loose() && o.run == i.run && o.where == i.where && (o.kind == spoilt || o.kind == shown)
		})
		switch i.kind {
		case proven:
			return []result.Verdict{result.Fail}
		case finding:
			never(result.Pass)
			faulty = true
		case slowed:
			if !excused || len(d.runs) == 1 {
				never(result.Pass)
			}
			faulty = true
		case gap:
			never(result.Pass)
		case spoilt:
			if len(d.runs) == 1 {
				never(result.Pass)
			}
		case shown:
		}
	}
	if faulty {
		allowed = append(allowed, result.Fail)
	}
	return allowed
}

// loose is whether an ill is about no topology of a run in particular.
func (i *ill) loose() bool {
	return looseIlls[i.name]
}

var looseIlls = func() map[string]bool {
	names := map[string]bool{}
	for _, i := range slices.Concat(staticIlls, comparisonIlls) {
		names[i.name] = true
	}
	return names
}()

// wrongly says which topology of which run got a verdict of its own, as steamer run gives it, that
// it must not get; "" where none did.
func (d *draw) wrongly(got *gate.Decision) string {
	for _, j := range got.Runs {
		run := slices.IndexFunc(d.runs, func(r *trial) bool { return r.doc.Run.ID == j.Run })
		here := slices.DeleteFunc(
			slices.Clone(d.ills),
			func(i drawn) bool { return i.loose() || i.run != run || i.where != j.Topology },
		)
		has := func(kinds ...kind) bool {
			return slices.ContainsFunc(here, func(i drawn) bool { return slices.Contains(kinds, i.kind) })
		}
		must := ""
		switch {
		case has(proven) && j.Derived != result.Fail:
			must = "has to be FAIL"
		case !has(proven, finding, slowed) && j.Derived == result.Fail:
			must = "must not be FAIL"
		case (has(finding) || has(slowed) && !has(spoilt, shown)) && j.Derived == result.Pass:
			must = "must not be PASS"
		case has(spoilt) && j.Derived == result.Pass:
			must = "must not be PASS"
		default:
			continue
		}
		return fmt.Sprintf(
			"run %d on %s alone is %s and %s: %s",
			run,
			j.Topology,
			j.Derived,
			must,
			strings.Join(j.Reasons, "\n"),
		)
	}
	return ""
}

// told is what is wrong with the evidence, in words.
func (d *draw) told() string {
	var ills []string
	for _, i := range d.ills {
		ills = append(ills, fmt.Sprintf("%s (run %d, %s)", i.name, i.run, i.where))
	}
	return fmt.Sprintf("%d runs, [%s]", len(d.runs), strings.Join(ills, "; "))
}

// random makes evidence with no ill, one, or up to three.
func random(t testing.TB, seed uint64) *draw {
	rng := rand.New(rand.NewPCG(seed, 1600))
	d := &draw{dossier: &dossier{t: t, rng: rng, check: goodCheck(t), mutants: goodMutants(t), policy: releasePolicy(t)}}
	d.policy.Tier = "3"
	seconds := float64(610 + 10*rng.IntN(3)) // as long as a p99 takes
	if d.brief = rng.IntN(8) > 0; d.brief {
		seconds = float64(130 + 10*rng.IntN(3)) // as long as a p95 takes, which is then the highest that is asked for
		d.policy.SLO = briefObjectives()
	}
	if rng.IntN(3) > 0 {
		d.policy.Topologies = []string{inside}
	}
	for number := range 1 + rng.IntN(4)/3 {
		run := goodRun(t, rng, number, 2, 5, seconds, d.policy.Topologies...)
		run.doc.Run.Tier = d.policy.Tier
		run.doc.Run.Host.CPUs = 3 + rng.IntN(6)
		quicker := 0.5 + 2*rng.Float64()
		for _, load := range run.loads {
			load.quick, load.cpus = true, float64(run.doc.Run.Host.CPUs)
			load.kubernetes, load.strangers = steady(0.2*rng.Float64()+0.1), steady(0.2*rng.Float64())
			for i := range load.fetches {
				load.fetches[i].ms *= quicker
				load.fetches[i].own *= quicker
			}
			if rng.IntN(4) == 0 { // some are slow, up to a fifth of what is allowed
				limit, allowed := d.quantile(rng)
				slow(share(rng, load.measured(), allowed/5*rng.Float64()), limit+1+100*rng.Float64())
			}
		}
		d.runs = append(d.runs, run)
	}
	if rng.IntN(8) == 0 {
		d.comparisons = []*compare.Comparison{goodComparison(t, rng, d.policy.Tier, 12, 0.005+0.02*rng.Float64())}
	}
	d.extract()
	for range rng.IntN(4) {
		i := allIlls[rng.IntN(len(allIlls))]
		run := rng.IntN(len(d.runs))
		d.ills = append(d.ills, drawn{i, run, d.policy.Topologies[rng.IntN(len(d.policy.Topologies))]})
	}
	for _, i := range d.ills {
		if i.world != nil {
			i.world(rng, d.dossier, d.runs[i.run], i.where)
		}
	}
	d.count()
	for _, i := range d.ills {
		if i.record != nil {
			i.record(rng, d.dossier, d.runs[i.run], i.where)
		}
	}
	return d
}

// evidence is what readiness.Read would return of the dossier's files.
func (d *dossier) evidence() *gate.Evidence {
	e := &gate.Evidence{
		Checks:  []gate.Of[*lint.Report]{{Path: "charts-check.json", Doc: d.check}},
		Mutants: []gate.Of[*mutation.Record]{{Path: "mutants.json", Doc: d.mutants}},
	}
	for _, run := range d.runs {
		e.Runs = append(e.Runs, gate.Of[*result.Result]{Path: "result.json", Doc: run.doc})
	}
	if d.quarantine != nil {
		e.Quarantines = []gate.Of[*compare.Quarantine]{{Path: "quarantine.yaml", Doc: d.quarantine}}
	}
	for _, c := range d.comparisons {
		compare.Judge(c, nil)
		compared, err := gate.ComparedCharts("comparison.json", c)
		require.NoError(d.t, err)
		e.Comparisons = append(e.Comparisons, gate.Of[gate.ComparisonEvidence]{Path: "comparison.json", Doc: compared})
	}
	return e
}

// briefObjectives are those of perf/slo.yaml up to p95, which two minutes decide and not ten.
var briefObjectives = sync.OnceValue(func() *judge.SLO {
	slo, err := objectives()
	if err != nil {
		panic(err) // releasePolicy has read it before
	}
	brief := *slo
	brief.Entries = nil
	for _, e := range slo.Entries {
		e.Limits = slices.DeleteFunc(slices.Clone(e.Limits), func(l judge.Limit) bool { return l.Metric == "fetch_p99_ms" })
		brief.Entries = append(brief.Entries, e)
	}
	return &brief
})

// mostOpen is the largest share of good evidence that may be INCONCLUSIVE: where a quarter of the
// loads has slow fetches, up to a fifth of what is allowed, a few of these come so close together
// that they might be a burst.
const mostOpen = 0.05

func TestRandomEvidence(t *testing.T) {
	t.Parallel()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // each draw is garbage at once
	var next, good, open, faulty atomic.Int64
	var group sync.WaitGroup
	var wrong sync.Map
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= int64(*draws) {
					return
				}
				seed := *firstSeed + uint64(n)
				d := random(t, seed)
				got, err := gate.Decide(d.evidence(), d.policy)
				if err != nil {
					wrong.Store(seed, err.Error())
					continue
				}
				switch {
				case len(d.ills) > 0:
					faulty.Add(1)
				case got.Verdict == result.Inconclusive:
					open.Add(1)
					fallthrough
				default:
					good.Add(1)
				}
				if !slices.Contains(d.must(), got.Verdict) {
					wrong.Store(
						seed,
						fmt.Sprintf("%s, want one of %v: %s\n%s", got.Verdict, d.must(), d.told(), strings.Join(got.Reasons, "\n")),
					)
				} else if why := d.wrongly(got); why != "" {
					wrong.Store(seed, d.told()+": "+why)
				}
			}
		})
	}
	group.Wait()
	shown := 0
	wrong.Range(func(seed, what any) bool {
		t.Errorf(
			"seed %d: %s\nrepeat it: go test ./harness/gate/attack -run TestRandomEvidence -attack.seed=%d -attack.draws=1",
			seed,
			what,
			seed,
		)
		shown++
		return shown < 5
	})
	require.LessOrEqual(t, float64(open.Load()), mostOpen*float64(max(good.Load(), 50)), "of %d good ones", good.Load())
	t.Logf("%d good, of which %d INCONCLUSIVE; %d with something wrong", good.Load(), open.Load(), faulty.Load())
}
