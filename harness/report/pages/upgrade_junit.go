package pages

import (
	"io"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

// upgradeJUnit writes a case for each upgrade. JUnit knows no third value: what is INCONCLUSIVE,
// and what was predicted only, is skipped with its reason.
func upgradeJUnit(w io.Writer, r *upgrade.Report) error {
	suite := junit.Testsuite{
		Name: "upgrades in " + r.Topology, Time: render.Seconds(r.Seconds), Timestamp: render.Timestamp(r.Started),
	}
	for i := range r.Edges {
		suite.AddTestcase(upgradeCase(r.Topology, &r.Edges[i]))
	}
	return render.Suites(w, "steamer upgrade", suite)
}

func upgradeCase(topology string, o *upgrade.Outcome) junit.Testcase {
	c := junit.Testcase{
		Name: render.Clean(o.From + " → " + o.To + " [" + topology + "]"), Classname: "upgrade." + topology, Time: render.Seconds(0),
	}
	if o.Confirmed != nil {
		c.Time = render.Seconds(o.Confirmed.Seconds)
	}
	if o.Skipped != "" {
		c.Skipped = &junit.Result{Message: "predicted only: " + render.Clean(o.Skipped)}
	}
	return render.VerdictCase(c, "upgrade", o.Verdict, o.Reasons, string(o.Verdict))
}
