package lint

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"
)

// JSON writes a report in its versioned form.
func JSON(w io.Writer, r *Report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

// JUnit writes a report with one test case for each rule. A rule with errors, or with warnings
// where these fail too, is a failure; one that was skipped or has nothing to look at is skipped
// with the reason.
func JUnit(w io.Writer, r *Report) error {
	suite := junit.Testsuite{
		Name: "charts check " + r.Chart.Name + " " + r.Chart.Version,
		Time: fmt.Sprintf("%.3f", r.Seconds),
	}
	for _, outcome := range r.Rules {
		group, _, _ := strings.Cut(outcome.ID, "/")
		c := junit.Testcase{Name: outcome.ID, Classname: "charts." + group, Time: "0.000"}
		switch outcome.State {
		case Skipped:
			c.Skipped = &junit.Result{Message: outcome.Reason}
		case Foreign:
			c.Skipped = &junit.Result{Message: "the chart has not what the rule looks at"}
		case Clean, Found:
			var failed, noted strings.Builder
			first := ""
			for _, f := range r.Findings {
				if f.Rule != outcome.ID {
					continue
				}
				text := describeFinding(f)
				if f.Accepted == nil && (f.Severity == Error || r.Strict && f.Severity == Warning) {
					failed.WriteString(text)
					if first == "" {
						first = f.Message
					}
				} else {
					noted.WriteString(text)
				}
			}
			if failed.Len() > 0 {
				c.Failure = &junit.Result{Message: printable(first), Type: outcome.ID, Data: printable(failed.String())}
			}
			if noted.Len() > 0 {
				c.SystemOut = &junit.Output{Data: printable(noted.String())}
			}
		}
		suite.AddTestcase(c)
	}
	suites := junit.Testsuites{Name: "steamer charts check"}
	suites.AddSuite(suite)
	if _, err := io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"); err != nil {
		return err
	}
	return suites.WriteXML(w)
}

func describeFinding(f Finding) string {
	var b strings.Builder
	p := &printer{w: &b}
	p.line("%s", f.Severity)
	p.finding(f)
	return b.String()
}

// printable drops what XML cannot hold.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}
