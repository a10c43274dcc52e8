package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
)

// runJUnit writes JUnit XML, a suite for each topology and subject, the way GitLab reads it: it
// shows classname as the suite, keeps only the first of several cases with the same name, and
// shows the failure's text, so the reason comes first. Checks are cases too. JUnit knows no third
// value: what is INCONCLUSIVE is skipped with its reason.
func runJUnit(w io.Writer, r *result.Result) error {
	var suites []junit.Testsuite
	for i := range r.Topologies {
		t := &r.Topologies[i]
		for _, subject := range []result.Subject{result.SubjectChart, result.SubjectServer, result.SubjectGitLab} {
			s := junit.Testsuite{Name: t.Name, Timestamp: render.Timestamp(r.Run.Started)}
			total, own := 0.0, about(t.Scenarios, subject)
			for _, sc := range own {
				s.AddTestcase(scenarioCase(t.Name, sc))
				total += sc.Seconds
			}
			s.Time = render.Seconds(total)
			if subject == result.SubjectChart { // with what the load showed of it
				for _, c := range t.Checks {
					s.AddTestcase(checkCase(t.Name, c))
				}
			} else if s.Name += ", " + string(subject); len(own) == 0 {
				continue
			}
			suites = append(suites, s)
		}
	}
	return render.Suites(w, "steamer "+r.Run.ID, append(suites, verdictSuite(r))...)
}

// verdictSuite holds the verdict of the run, which also covers what no single
// case shows, such as a step that failed.
func verdictSuite(r *result.Result) junit.Testsuite {
	c := junit.Testcase{Name: "run/verdict", Classname: "run", Time: render.Seconds(r.Run.Finished.Sub(r.Run.Started).Seconds())}
	s := junit.Testsuite{Name: "run", Time: c.Time, Timestamp: render.Timestamp(r.Run.Started)}
	s.AddTestcase(render.VerdictCase(c, "verdict", r.Verdict, r.Reasons, string(r.Verdict)))
	return s
}

func scenarioCase(topology string, s result.Scenario) junit.Testcase {
	group, _, _ := strings.Cut(s.ID, "/")
	name := s.ID + " [" + topology + "]"
	if s.Round > 0 {
		name += fmt.Sprintf(" #%d", s.Round)
	}
	c := junit.Testcase{Name: name, Classname: group + "." + topology, Time: render.Seconds(s.Seconds)}
	switch s.Status {
	case result.Failed:
		var b strings.Builder
		fmt.Fprintf(&b, "%s\n\n%s\nProtects: %s\n", s.Reason, s.Title, s.Protects)
		for _, line := range s.Log {
			b.WriteString(line + "\n")
		}
		c.Failure = &junit.Result{Message: s.Reason, Type: "scenario", Data: render.Clean(b.String())}
		for _, a := range s.Artifacts {
			// GitLab parses this form for failed cases, relative to the project directory.
			c.SystemOut = &junit.Output{Data: "[[ATTACHMENT|" + render.Clean(a) + "]]"}
			break
		}
	case result.Skipped:
		c.Skipped = &junit.Result{Message: s.Reason}
	case result.Passed:
	}
	return c
}

func checkCase(topology string, k result.Check) junit.Testcase {
	c := junit.Testcase{Name: k.ID + " [" + topology + "]", Classname: k.Kind + "." + topology, Time: "0.000"}
	evidence := fmt.Sprintf("%s: measured %s, limit %s", k.Title, measured(k), k.Limit)
	switch {
	case k.Verdict == result.Pass:
	case k.Verdict == result.Fail && !k.Informational:
		c.Failure = &junit.Result{Message: k.Reason, Type: k.Kind, Data: render.Clean(k.Reason + "\n\n" + evidence + "\n" +
			k.Source)}
	default:
		c.Skipped = &junit.Result{Message: string(k.Verdict) + ": " + k.Reason + " (" + evidence + ")"}
	}
	return c
}
