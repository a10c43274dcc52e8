package gate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// What a comparison may ask for at most, unless the policy says otherwise. The error rate is what
// steamer compare asks for by itself, the margin twice that; p95 may have compare.TailMargin.
const (
	DefaultMargin = 0.10
	DefaultAlpha  = 0.05
)

// Admits refuses comparisons that were made under other conditions than those which the policy
// asks about, with an error of code exit.Invalid. It needs no other evidence, so that it can be
// asked before anything is run.
func (p Policy) Admits(e *Evidence) error {
	for _, c := range e.Comparisons {
		d := c.Doc.doc.Design
		asked := strings.Join(p.Topologies, " or ")
		switch {
		case p.Tier != "" && d.Tier != p.Tier:
			return exit.Invalidf("--from "+c.Path, "repeat it with steamer compare --tier "+p.Tier+
				", or say which tier the release is for, with --tier",
				"tier mismatch: the comparison ran at tier %q, the release is judged at tier %q", d.Tier, p.Tier)
		case !slices.Contains(p.Topologies, d.Where):
			return exit.Invalidf("--from "+c.Path, "repeat it with steamer compare --topology, which takes "+asked,
				"it compared on %q, and the release is judged on %s", d.Where, asked)
		case p.Previous != nil && (c.Doc.doc.A.Chart.Digest == "" || c.Doc.doc.A.Chart.Digest != p.Previous.Digest):
			return exit.Invalidf("--from "+c.Path,
				"compare with that one (steamer compare --base), or name the release before with --previous",
				"it compares with %s, and the declared previous release is %s", exactly(*c.Doc.doc.A.Chart), exactly(*p.Previous))
		case d.Reuse:
			return exit.Invalidf("--from "+c.Path, "repeat it without --reuse-connections",
				"it kept connections open, and each job opens its own")
		case d.Mode != load.Inline:
			return exit.Invalidf("--from "+c.Path, "repeat it with steamer compare --mode "+load.Inline,
				"it fetched in mode %q, and jobs fetch in mode %s", d.Mode, load.Inline)
		}
	}
	return nil
}

// exactly is a chart by name, version and content.
func exactly(c result.Chart) string {
	return fmt.Sprintf("%s (%s)", name(c), cmp.Or(c.Digest, "no digest"))
}

// rejudge judges a comparison by its pairs, and by what the policy lets it ask for. One that asks
// for less gives no PASS. A FAIL of it stands: what exceeds a larger margin exceeds the smaller
// one, too, and a larger alpha errs to the safe side.
func (p Policy) rejudge(c ComparisonEvidence, q *compare.Quarantine) rejudged {
	r := c.judge(q)
	if lax := p.lax(r); len(lax) > 0 && r.Verdict != result.Fail {
		others := r.Reasons
		if r.Verdict == result.Pass { // these say why it is good
			others = nil
		}
		r.Verdict, r.Reasons = result.Inconclusive, slices.Concat(lax, others)
	}
	return r
}

// lax says in what a comparison asked for less than the policy does. A metric that need not pass
// may have any margin.
func (p Policy) lax(r rejudged) []string {
	var out []string
	margin, alpha := cmp.Or(p.Margin, DefaultMargin), cmp.Or(p.Alpha, DefaultAlpha)
	if p.Previous == nil {
		out = append(out,
			fmt.Sprintf("the previous release is not declared (--previous), so %s may be any release",
				exactly(*r.A.Chart)))
	}
	asked := compare.DefaultGate(margin)
	for _, g := range asked {
		if !slices.ContainsFunc(r.Design.GateMetrics, func(has compare.GateMetric) bool { return has.Name == g.Name }) {
			out = append(out, fmt.Sprintf("%s did not decide in the comparison, and the gate asks for it", g.Name))
		}
	}
	for _, m := range r.Metrics {
		most := margin
		if i := slices.IndexFunc(asked, func(g compare.GateMetric) bool { return g.Name == m.Name }); i >= 0 {
			most = asked[i].Margin
		}
		if m.Gate && m.Quarantine == "" && m.Margin > most {
			out = append(out,
				fmt.Sprintf("%s: the comparison has a margin of %.4g %%, the gate allows one of %.4g %% at most",
					m.Title, 100*m.Margin, 100*most))
		}
	}
	if r.Design.Alpha > alpha {
		out = append(out, fmt.Sprintf("the comparison has an error rate (alpha) of %g, the gate allows one of %g at most",
			r.Design.Alpha, alpha))
	}
	return out
}

// compared are the comparisons as the decision shows them.
func (p Policy) compared(e *Evidence) []Compared {
	var out []Compared
	for _, c := range e.Comparisons {
		out = append(out, p.rejudge(c.Doc, e.quarantine()).show(c.Path))
	}
	return out
}
