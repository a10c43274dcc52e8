package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"gitlab.com/steamer/steamer/harness/judge"
)

// ExplainSLO writes which entry of the objectives at path would judge a run, and why the ones
// before it would not; found is whether there is one.
func ExplainSLO(w io.Writer, path string, slo *judge.SLO, u judge.Subject) (found bool, err error) {
	entry := slo.Find(u)
	if entry < 0 {
		fmt.Fprintf(w, "No entry of %s judges it: the run would end INCONCLUSIVE.\n", path)
	}
	for i, e := range slo.Entries {
		if i == entry {
			break
		}
		fmt.Fprintf(w, "entries[%d] does not apply: %s\n", i, e.Mismatch(u))
	}
	if entry < 0 {
		return false, nil
	}
	e, extra := slo.Entries[entry], slo.EnvironmentLatencyOf(entry)
	needs := map[string]time.Duration{}
	if rate, err := strconv.ParseFloat(u.Tier, 64); err == nil {
		for _, s := range e.Supports(judge.Drive{Rate: rate, Seconds: time.Hour.Seconds()}) {
			needs[s.Limit.Metric] = s.Needs
		}
	}
	fmt.Fprintf(w, "entries[%d] of %s judges it: %s\n\n", entry, path, e.Conditions())
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range e.Limits {
		limit, note := strconv.FormatFloat(l.Limit, 'g', -1, 64), ""
		if extra > 0 && strings.HasPrefix(l.Metric, "fetch_") {
			limit += fmt.Sprintf(" + %g", extra)
		}
		if l.Informational {
			note = "shown, not judged; "
		}
		if d, ok := needs[l.Metric]; ok {
			note += fmt.Sprintf("to hold it takes %s of load; ", d)
		}
		fmt.Fprintf(table, "%s\t%s %s\t%s%s\n", l.Metric, l.Op, limit, note, l.Source)
	}
	for _, z := range slo.Sizing {
		if strconv.FormatFloat(z.Tier, 'g', -1, 64) == u.Tier {
			fmt.Fprintf(table, "\t\t\nsized as\t%s CPU, %s memory, %d pods\t%s\n", z.CPURequest, z.Memory, z.Pods, z.Source)
		}
	}
	for _, r := range slo.Reference {
		fmt.Fprintf(table, "%s\tnormal %s\tnot seen by a client, not judged; %s\n", r.Metric, r.Normal, r.Source)
	}
	return true, table.Flush()
}
