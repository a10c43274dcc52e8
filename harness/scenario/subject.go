package scenario

import (
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// The subjects of scenarios. A chart can make only a scenario of SubjectChart fail.
const (
	SubjectChart  = result.SubjectChart
	SubjectServer = result.SubjectServer
	SubjectGitLab = result.SubjectGitLab
)

// Subjects are all subjects, the one that decides on a release first.
func Subjects() []result.Subject { return []result.Subject{SubjectChart, SubjectServer, SubjectGitLab} }

// Of returns the scenarios of a subject, in order; "" is every subject. An unknown one is an
// exit.Invalid error.
func Of(list []Scenario, subject result.Subject) ([]Scenario, error) {
	if subject == "" {
		return list, nil
	}
	if !slices.Contains(Subjects(), subject) {
		return nil, exit.Invalidf("--subject "+string(subject), "choose from "+join(Subjects()), "no such subject")
	}
	return slices.DeleteFunc(slices.Clone(list), func(s Scenario) bool { return s.Subject != subject }), nil
}

func join(list []result.Subject) string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}
