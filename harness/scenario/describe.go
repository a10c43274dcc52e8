package scenario

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// Description is what a person or a program wants to know of a scenario that is not running.
type Description struct {
	ID         string         `json:"id"`
	Title      string         `json:"title"`
	Protects   string         `json:"protects"`
	Source     string         `json:"source"`
	Subject    result.Subject `json:"subject"`
	Kind       Kind           `json:"kind"`
	Cost       string         `json:"cost,omitempty"` // "slow" outside the core suite
	Budget     float64        `json:"budgetSeconds"`
	Topologies []string       `json:"topologies,omitempty"`
	Needs      []string       `json:"needs,omitempty"` // features, and why it is skipped without them
	// Alone is why nothing else may go on on the cluster meanwhile.
	Alone string `json:"alone,omitempty"`
}

// slow is the cost of a scenario outside the core suite.
const slow = "slow"

// Describe describes scenarios.
func Describe(list ...Scenario) []Description {
	out := make([]Description, 0, len(list))
	for _, s := range list {
		d := Description{
			ID: s.ID, Subject: s.Subject, Title: s.Title, Protects: s.Protects, Source: s.Source, Kind: s.Kind,
			Budget: s.Budget.Seconds(), Topologies: s.Topologies, Alone: s.Alone,
		}
		if !s.Core {
			d.Cost = slow
		}
		for _, f := range s.Features {
			d.Needs = append(d.Needs, string(f)+"; skipped otherwise: "+f.Lack())
		}
		out = append(out, d)
	}
	return out
}

// WriteList writes a line for each scenario, and how many of each subject there are.
func WriteList(w io.Writer, list []Description) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	count := map[result.Subject]int{}
	for _, d := range list {
		count[d.Subject]++
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", d.ID, d.Subject, d.Cost, d.Title)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of the chart, %d of the server, %d of GitLab\n", count[SubjectChart],
		count[SubjectServer],
		count[SubjectGitLab])
	return err
}

// Write writes all of a description.
func (d Description) Write(w io.Writer) error {
	cost := ""
	if d.Cost == slow {
		cost = "slow: not in the core suite that steamer run starts with"
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"ID", d.ID},
		{"holds", d.Title},
		{"protects", d.Protects},
		{"source", d.Source},
		{"subject", string(d.Subject)},
		{"kind", string(d.Kind)},
		{"budget", time.Duration(d.Budget * float64(time.Second)).Round(time.Second).String()},
		{"cost", cost},
		{"alone", d.Alone},
		{"topologies", strings.Join(d.Topologies, ", ")},
	} {
		if row[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", row[0], row[1])
		}
	}
	for _, need := range d.Needs {
		fmt.Fprintf(table, "needs\t%s\n", need)
	}
	return table.Flush()
}
