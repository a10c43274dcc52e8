package report

import (
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
)

// FindingsJUnit writes a check of a chart with one test case for each rule. A rule with errors, or
// with warnings where these fail too, is a failure; one that was skipped or does not apply is
// skipped with the reason.
func FindingsJUnit(w io.Writer, r *lint.Report) error {
	suite := junit.Testsuite{
		Name: "charts check " + r.Chart.Name + " " + r.Chart.Version, Time: render.Seconds(r.Seconds),
	}
	for _, outcome := range r.Rules {
		suite.AddTestcase(ruleCase(r, outcome))
	}
	return render.Suites(w, "steamer charts check", suite)
}

// ruleCase is a rule with its findings.
func ruleCase(r *lint.Report, outcome lint.Outcome) junit.Testcase {
	group, _, _ := strings.Cut(outcome.ID, "/")
	c := junit.Testcase{Name: outcome.ID, Classname: "charts." + group, Time: render.Seconds(0)}
	switch outcome.State {
	case lint.Skipped:
		c.Skipped = &junit.Result{Message: render.Clean(outcome.Reason)}
		return c
	case lint.Foreign:
		c.Skipped = &junit.Result{Message: "the rule does not apply to this chart"}
		return c
	}
	var failed, noted printer
	first := ""
	for _, f := range r.Findings {
		to := &noted
		switch fails := f.Severity == lint.Error || r.Strict && f.Severity == lint.Warning; {
		case f.Rule != outcome.ID:
			continue
		case fails && f.Accepted == nil && failed.Len() == 0:
			first = f.Message
			fallthrough
		case fails && f.Accepted == nil:
			to = &failed
		}
		to.line("%s", f.Severity)
		to.finding(f)
	}
	if failed.Len() > 0 {
		c.Failure = &junit.Result{Message: render.Clean(first), Type: outcome.ID, Data: render.Clean(failed.String())}
	}
	if noted.Len() > 0 {
		c.SystemOut = &junit.Output{Data: render.Clean(noted.String())}
	}
	return c
}
