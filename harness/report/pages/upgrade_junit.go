package pages

import (
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

// upgradeJUnit writes a case for each upgrade. JUnit knows no third value: what is INCONCLUSIVE,
// and what was predicted only, is skipped with its reason.
func upgradeJUnit(w io.Writer, r *upgrade.Report) error {
	suite := junit.Testsuite{
		Name: "upgrades in " + r.Topology, Time: fmt.Sprintf("%.3f", r.Seconds),
		Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
	}
	for i := range r.Edges {
		suite.AddTestcase(upgradeCase(r.Topology, &r.Edges[i]))
	}
	return render.Suites(w, "steamer upgrade", suite)
}

func upgradeCase(topology string, o *upgrade.Outcome) junit.Testcase {
	c := junit.Testcase{
		Name: render.Clean(o.From + " → " + o.To + " [" + topology + "]"), Classname: "upgrade." + topology, Time: "0.000",
	}
	if o.Confirmed != nil {
		c.Time = fmt.Sprintf("%.3f", o.Confirmed.Seconds)
	}
	reasons := render.Clean(strings.Join(o.Reasons, "\n"))
	switch first, _, _ := strings.Cut(reasons, "\n"); {
	case o.Verdict == result.Fail:
		c.Failure = &junit.Result{Message: first, Type: "upgrade", Data: reasons}
	case o.Verdict == result.Inconclusive:
		c.Skipped = &junit.Result{Message: "INCONCLUSIVE: " + first}
	case o.Skipped != "":
		c.Skipped = &junit.Result{Message: "predicted only: " + render.Clean(o.Skipped)}
	}
	return c
}
