// Command scenarios writes docs/scenarios.md from the registry of scenarios, and docs/mutants.md
// from the record of mutants. Run it by `go generate ./scenarios`.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: scenarios SCENARIOS-PAGE MUTANTS-PAGE")
		os.Exit(3)
	}
	list, found, err := mutantsOf(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "scenarios:", err)
		os.Exit(3)
	}
	for file, text := range map[string]string{
		os.Args[1]: render(scenarios.All(), noticed(list, found)), os.Args[2]: page(list, found),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "scenarios:", err)
			os.Exit(4)
		}
	}
}

// root is the source tree, seen from scenarios, where go generate runs.
const root = ".."

// record is what the last run of steamer mutants found, beside the mutants.
const record = "record.json"

// mutantsOf returns the mutants, and what became of those that were tried.
func mutantsOf(root string) ([]mutation.Mutant, []mutation.Outcome, error) {
	list, err := mutation.Read(root, scenarios.All())
	if err != nil {
		return nil, nil, err
	}
	file := filepath.Join(root, mutation.Dir, record)
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	found, err := mutation.Decode(file, raw)
	if err != nil {
		return nil, nil, err
	}
	return list, found.Outcomes, nil
}

// noticed returns the mutants that each scenario should notice, by its ID; those that it killed
// are marked.
func noticed(list []mutation.Mutant, found []mutation.Outcome) map[string][]string {
	killed := map[string]string{}
	for _, o := range found {
		if o.Status == mutation.Killed {
			killed[o.Mutant.ID] = o.By
		}
	}
	out := map[string][]string{}
	for _, m := range list {
		for _, id := range m.Caught {
			name := "`" + m.ID + "`"
			if killed[m.ID] == id {
				name = "**" + name + "**"
			}
			out[id] = append(out[id], name)
		}
	}
	return out
}

// page is what became of the mutants, and which ones have no recorded outcome.
func page(list []mutation.Mutant, found []mutation.Outcome) string {
	var untried []string
	for _, m := range list {
		if !slices.ContainsFunc(found, func(o mutation.Outcome) bool { return o.Mutant.ID == m.ID }) {
			untried = append(untried, "`"+m.ID+"`")
		}
	}
	text := pages.Mutants(found)
	if len(untried) > 0 {
		text += fmt.Sprintf("\nNo outcome is recorded of %d more: %s.\n", len(untried), strings.Join(untried, ", "))
	}
	return text
}

// shards is the section about running the suite on several installations.
const shards = `
## Shards

The suite mostly waits for Kubernetes. ` + "`--shards N`" + ` installs each topology N times, in namespaces of their own, and the
installations share its scenarios: each takes the longest that is left, by ` + "`scenarios/durations.yaml`" + `
(` + "`go run ./hack/durations`" + ` writes it). The default, ` + "`auto`" + `, is two installations per CPU, where there is memory for them and a
minute of scenarios for each. An existing cluster, and a chart with objects outside namespaces, have one.

- Without load both topologies are there at once. A load is beside nothing: further shards are gone before it, and the
  report says so. It shows each shard on the timeline.
- What needs the cluster alone comes after the others; ` + "`steamer test --explain ID`" + ` says why. ` + "`hygiene`" + ` runs last, on every shard.
- An outage that is measured beside other shards is an upper bound. One beyond its budget is measured again, alone.
- Which shard runs what differs from run to run. ` + "`result.json`" + ` has shard, start and seconds; ` + "`--shards 1`" + ` keeps the order
  of ` + "`--list`" + `.
`

// render lists scenarios by group. Scenarios that share what they protect are in one table.
func render(list []scenario.Scenario, mutants map[string][]string) string {
	var b strings.Builder
	count := map[result.Subject]int{}
	for _, s := range list {
		count[s.Subject]++
	}
	fmt.Fprintf(&b, "# Scenarios\n\nWritten by `go generate ./scenarios`; a test fails when it is stale. %d scenarios: "+
		"%d are about the chart, %d about the server and the recipes, %d about GitLab.\n\n"+
		"Mutants are deliberate defects that a scenario should notice; "+
		"in bold those that it killed when they were last tried.\n",
		len(list), count[scenario.SubjectChart], count[scenario.SubjectServer], count[scenario.SubjectGitLab])
	b.WriteString(shards)
	group, shared := "", ""
	for _, s := range list {
		if name, _, _ := strings.Cut(s.ID, "/"); name != group {
			group, shared = name, ""
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		if now := s.Protects + "\x00" + s.Source; now != shared {
			shared = now
			fmt.Fprintf(&b, "\nProtects %s.\nSource: %s.\n\n"+
				"| ID | holds | subject | kind | cost | needs | mutants |\n|---|---|---|---|---|---|---|\n",
				strings.TrimSuffix(s.Protects, "."), strings.TrimSuffix(s.Source, "."))
		}
		cost := "–"
		if !s.Core {
			cost = "slow"
		}
		needs := append([]string{}, s.Topologies...)
		for _, f := range s.Features {
			needs = append(needs, string(f))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s |\n", s.ID, strings.ReplaceAll(s.Title, "|", `\|`), s.Subject,
			s.Kind, cost, strings.Join(needs, ", "), strings.Join(mutants[s.ID], ", "))
	}
	return b.String()
}
