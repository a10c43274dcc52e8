package gate

import (
	"slices"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Chart is the one that all evidence is about. Runs against a whole GitLab installed none.
// Evidence of two charts, of a chart with different values or of two versions of OpenBao is an
// error of code exit.Invalid.
func (e *Evidence) Chart() (result.Chart, error) {
	var one subject
	for _, r := range e.Runs {
		for _, t := range r.Doc.Topologies {
			openBao := t.Versions["openbao"]
			if t.Chart.Digest == "" { // a whole GitLab has its own
				openBao = ""
			}
			if err := one.add(r.Path, t.Chart, openBao); err != nil {
				return one.chart, err
			}
		}
	}
	for _, c := range e.Checks {
		if err := one.add(c.Path, c.Doc.Chart, ""); err != nil {
			return one.chart, err
		}
	}
	for _, c := range e.Comparisons {
		if b := c.Doc.doc.B; b.Chart != nil {
			if err := one.add(c.Path, *b.Chart, b.Versions["openbao"]); err != nil {
				return one.chart, err
			}
		}
	}
	for _, h := range e.Histories {
		header := h.Doc.History
		if err := one.add(h.Path, *header.Chart, header.Server); err != nil {
			return one.chart, err
		}
	}
	for _, r := range e.Records {
		if err := one.add(r.Path, result.Chart{}, r.Doc.Server); err != nil {
			return one.chart, err
		}
	}
	return one.chart, nil
}

// subject is what evidence is about, as far as it is known, and the file that said so first.
type subject struct {
	chart     result.Chart
	chartFrom string
	openBao   string // version, which a chart does not decide alone
	baoFrom   string
}

// add refuses what is about something else. An empty chart or version says nothing.
func (s *subject) add(path string, c result.Chart, openBao string) error {
	input := "--from " + path
	switch known := s.chart; {
	case c.Name == "" && c.Digest == "":
	case s.chartFrom == "":
		s.chart, s.chartFrom = c, path
	case c.Name != known.Name || c.Version != known.Version || c.Digest != known.Digest:
		return exit.Invalidf(input, "judge the evidence of one chart at a time", "it is about %s (%s), and %s about %s (%s)",
			name(c), c.Digest, s.chartFrom, name(known), known.Digest)
	case c.Values != known.Values:
		return exit.Invalidf(input, "give every part the same --values and --set (@VALUES in a comparison), and use "+
			"records of this release of Steamer, which have them", "it is about %s with %s, and %s about that chart with %s",
			name(c), laidOver(c), s.chartFrom, laidOver(known))
	}
	switch {
	case openBao == "" || openBao == s.openBao:
	case s.openBao == "":
		s.openBao, s.baoFrom = openBao, path
	default:
		return exit.Invalidf(input, "judge the evidence of one OpenBao at a time",
			"it is about OpenBao %s, and %s about OpenBao %s", openBao, s.baoFrom, s.openBao)
	}
	return nil
}

// laidOver names the user's values of a chart by their digest.
func laidOver(c result.Chart) string {
	if c.Values == "" {
		return "no values of its own"
	}
	return "values of its own (" + c.Values + ")"
}

// tier is the one of all loads, without any that of the first comparison, and empty where there is
// neither.
func (e *Evidence) tier() (string, error) {
	tier, from := "", ""
	for _, r := range e.Runs {
		loaded := slices.ContainsFunc(r.Doc.Topologies, func(t result.Topology) bool { return t.Load != nil })
		switch {
		case !loaded:
		case from == "":
			tier, from = r.Doc.Run.Tier, r.Path
		case tier != r.Doc.Run.Tier:
			return "", exit.Invalidf("--from "+r.Path, "say which tier the release is for, with --tier",
				"tier mismatch: its load is at tier %s, the load of %s at tier %s",
				r.Doc.Run.Tier, from, tier)
		}
	}
	if from == "" && len(e.Comparisons) > 0 {
		tier = e.Comparisons[0].Doc.doc.Design.Tier
	}
	return tier, nil
}
