package findings

import (
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/result"
)

var reports = document.Codec[Report]{
	APIVersion: result.APIVersion, Kind: ReportKind, Hint: "name the directory of a run of steamer findings",
}

// Join reads the findings.json of several run directories and judges all their experiments again,
// for experiments that were run one at a time. Of an experiment that ran more often the latest
// counts. Errors are of code exit.Invalid.
func Join(dirs []string) (*Report, error) {
	var runs []*Report
	for _, dir := range dirs {
		path := filepath.Join(dir, "findings.json")
		r, err := reports.ReadFile(path)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	slices.SortStableFunc(runs, func(a, b *Report) int { return a.Started.Compare(b.Started) })
	latest := map[string]*Outcome{}
	var commands []string
	for _, r := range runs {
		commands = append(commands, r.Reproduce)
		for _, o := range r.Outcomes {
			o.Found = []Found{}
			o.judge()
			latest[o.Experiment.ID] = o
		}
	}
	joined := NewReport(strings.Join(commands, "; "), runs[len(runs)-1].Host)
	for _, o := range latest {
		joined.Add(o)
	}
	slices.SortFunc(joined.Outcomes, func(a, b *Outcome) int { return a.Experiment.Order - b.Experiment.Order })
	joined.Finish()
	joined.Started = runs[0].Started
	return joined, nil
}
