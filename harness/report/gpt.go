package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// gptTable writes the table that readers of the GitLab Performance Tool know: for each topology
// the rate, the time to first byte (mean and P90) and the share of good answers, each beside its
// limit. A fetch's answer is one small body, so its whole latency from the actual start stands for
// the time to first byte. A column without an objective shows no limit.
func gptTable(w io.Writer, r *result.Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "* Environment:     %s\n* Option:          %s, tier %s\n* Date:            %s\n* Run Time:        %s\n* Steamer Version: %s\n\n",
		render.Plain(fmt.Sprintf("%s, %d CPUs", r.Run.Host.OS, r.Run.Host.CPUs)), render.Plain(r.Run.Profile),
		render.Plain(r.Run.Tier),
		render.Moment(r.Run.Started),
		render.Span(r.Run.Finished.Sub(r.Run.Started).Seconds()), render.Plain(r.Run.Steamer))
	rows := [][]string{{"NAME", "RPS", "RPS RESULT", "TTFB AVG", "TTFB P90", "REQ STATUS", "RESULT"}}
	for i := range r.Topologies {
		if t := &r.Topologies[i]; t.Load != nil {
			rows = append(rows, gptRow(t))
		}
	}
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		line := make([]string, len(row))
		for i, cell := range row {
			line[i] = fmt.Sprintf("%-*s", width[i], cell)
		}
		b.WriteString(strings.TrimRight(strings.Join(line, " | "), " ") + "\n")
		if n == 0 {
			for i := range line {
				line[i] = strings.Repeat("-", width[i])
			}
			b.WriteString(strings.Join(line, "-|-") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func gptRow(t *result.Topology) []string {
	l := t.Load
	limits := map[string]string{}
	for _, c := range t.Checks {
		if !c.Informational {
			limits[c.ID] = " (" + strings.NewReplacer("<= ", "≤", ">= ", "≥").Replace(c.Limit) + ")"
		}
	}
	rate, mean, p90, good := notMeasured, notMeasured, notMeasured, notMeasured
	if rated(l) {
		rate = fmt.Sprintf("%.2f/s", l.AchievedRate)
	}
	if l.Actual.Count > 0 {
		mean, p90 = fmt.Sprintf("%.2fms", l.Actual.Mean), fmt.Sprintf("%.2fms", l.Actual.P90)
	}
	if l.Fetches > 0 {
		good = fmt.Sprintf("%.2f%%", 100*float64(l.Fetches-l.Failed-l.Wrong)/float64(l.Fetches))
	}
	outcome := map[result.Verdict]string{
		result.Pass: "Passed", result.Fail: "FAILED",
		result.Inconclusive: "INCONCLUSIVE",
	}[t.Verdict]
	return []string{
		word("secret_fetch_" + l.Mode + "_" + t.Name), fmt.Sprintf("%s/s", number(l.OfferedRate)),
		rate + limits["valid/achieved-rate"], mean + limits["slo/fetch-actual-mean-ms"],
		p90 + limits["slo/fetch-actual-p90-ms"],
		good + strings.Replace(limits["slo/error-rate"], "≤", "errors ≤", 1), outcome,
	}
}
