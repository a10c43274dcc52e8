package gate

import (
	"fmt"
	"strings"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// ComparisonEvidence is a comparison as its file states it. What it is worth is derived from its
// pairs.
type ComparisonEvidence struct{ doc *compare.Comparison }

func decodeComparison(path string, data []byte) (ComparisonEvidence, error) {
	doc, err := compare.Decode(path, data)
	return ComparisonEvidence{doc}, err
}

func decodeChartComparison(path string, data []byte) (ComparisonEvidence, error) {
	doc, err := compare.Decode(path, data)
	if err != nil {
		return ComparisonEvidence{}, err
	}
	return ComparedCharts(path, doc)
}

// ComparedCharts takes a comparison for evidence; path is used in errors, which are of code
// exit.Invalid. It asks that two releases of a chart were compared, both with the same values or
// none: what processes on one machine do, a chart against itself or another, one with values that
// the other has not, and a comparison to calibrate with say nothing about a release.
func ComparedCharts(path string, doc *compare.Comparison) (c ComparisonEvidence, err error) {
	c.doc = doc
	if doc.A.Chart == nil || doc.B.Chart == nil || doc.B.Chart.Digest == "" {
		return c, exit.Invalidf(path, "use a comparison of two charts", "it does not say which charts it compared")
	}
	switch a, b := c.doc.A, c.doc.B; {
	case a.Chart.Digest == b.Chart.Digest:
		err = exit.Invalidf(path, "compare the chart with the last release", "it compares the chart with itself")
	case a.Chart.Name != b.Chart.Name:
		err = exit.Invalidf(path, "compare the chart with its own last release",
			"it compares %s with %s, which is no release of that chart", name(*b.Chart), name(*a.Chart))
	case a.Delay+b.Delay+a.Injected+b.Injected+a.CPUs+b.CPUs > 0:
		err = exit.Invalidf(path, "use what steamer compare wrote",
			"it is part of a calibration: one side was slowed down on purpose")
	case a.Config != b.Config:
		err = exit.Invalidf(path, "repeat it with the same @VALUES for --base and --head, or none",
			"the values laid over %s are not those laid over %s", name(*b.Chart), name(*a.Chart))
	}
	if err == nil {
		c.doc.B.Chart.Values = c.doc.B.Config // which comparisons had before charts did
	}
	return c, err
}

// rejudged is a comparison judged by its pairs.
type rejudged struct {
	*compare.Comparison
	stated      result.Verdict // by the file
	differs     string         // why the file states another verdict; "" where it states the same
	edited      bool           // nothing explains the difference
	quarantined []string       // metrics that need not pass, and why
}

// judge derives the verdict from the pairs; the metrics in quarantine need not pass.
func (c ComparisonEvidence) judge(q *compare.Quarantine) rejudged {
	again, plain := *c.doc, *c.doc
	compare.Judge(&again, q)
	compare.Judge(&plain, nil)
	r := rejudged{Comparison: &again, stated: c.doc.Verdict, quarantined: quarantined(&again)}
	before := quarantined(c.doc)
	switch {
	case r.stated == again.Verdict:
	case r.stated == plain.Verdict:
		r.differs = fmt.Sprintf("its file says %s, judged without the quarantine", r.stated)
	case len(before) > 0:
		r.differs = fmt.Sprintf("its file says %s, judged with a quarantine (%s); --quarantine names one", r.stated,
			strings.Join(before, "; "))
	default:
		r.differs, r.edited = fmt.Sprintf("its file says %s, which does not follow from its pairs by the rules of this release: they say %s", r.stated, again.Verdict), true
	}
	return r
}

// quarantined are the metrics that were to decide, but are in quarantine and did not fail.
func quarantined(c *compare.Comparison) []string {
	var out []string
	for _, m := range c.Metrics {
		if why := m.Quarantined(); why != "" && !m.Decides() {
			out = append(out, m.Name+" quarantined: "+why)
		}
	}
	return out
}

// ReadComparison reads and judges a comparison for its report, which shows short and looks up more
// in whole; name is used in errors, which are of code exit.Invalid.
func ReadComparison(name string, data []byte) (short *Compared, whole *compare.Comparison, err error) {
	c, err := decodeComparison(name, data)
	if err != nil {
		return nil, nil, err
	}
	r := c.judge(nil)
	out := r.show(name)
	return &out, r.Comparison, nil
}

// Shown is the short form of a comparison as it was judged.
func Shown(c *compare.Comparison) *Compared {
	short := rejudged{Comparison: c}.show(compare.JSONFile)
	return &short
}

// IsComparison reports whether a JSON document says that it is a comparison.
func IsComparison(data []byte) bool {
	head, err := document.HeadOf(data)
	return err == nil && head.Kind == compare.Kind
}

// show puts a judged comparison into the form in which it is reported.
func (r rejudged) show(path string) Compared {
	out := Compared{
		Path: path, Base: describe(r.A), Head: describe(r.B), Where: r.Design.Where, Verdict: r.Verdict, Reasons: r.Reasons,
		Metrics: []Ratio{}, Reproduce: r.Reproduce, Slices: map[string][2][]float64{},
	}
	if r.differs != "" {
		out.Reasons = append(out.Reasons, r.differs)
	}
	out.Reasons = append(out.Reasons, r.Notes...)
	for _, m := range r.Metrics {
		if m.Quarantine != "" && !m.Decides() {
			m.Reason = "in quarantine, so that it need not pass: " + m.Quarantine
		}
		out.Metrics = append(out.Metrics, Ratio{
			Name: m.Name, Title: m.Title, Unit: m.Unit, Gate: m.Decides(), Margin: m.Margin, Base: m.A, Head: m.B,
			Ratio: m.Ratio,
			Lo:    m.Lo, Hi: m.Hi, MDE: m.MDE, Verdict: m.Verdict, Reason: m.Reason,
		})
		if a, b := r.Values(m.Name); len(a) > 0 {
			out.Slices[m.Name] = [2][]float64{a, b}
		}
	}
	return out
}

// describe names a side, and values of its own that it had.
func describe(s compare.Subject) string {
	text := s.Description
	if text == "" && s.Chart != nil {
		text = name(*s.Chart)
		if s.Config != "" {
			text += " with values of its own"
		}
	}
	return text
}
