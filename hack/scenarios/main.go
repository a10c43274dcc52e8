// Command scenarios writes docs/scenarios.md from the registry of scenarios. Run it by `go generate
// ./scenarios`.
package main

import (
	"fmt"
	"os"
	"strings"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: scenarios FILE")
		os.Exit(3)
	}
	if err := os.WriteFile(os.Args[1], []byte(render(scenarios.All())), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "scenarios:", err)
		os.Exit(4)
	}
}

// render lists scenarios by group. Scenarios that share what they protect are in one table.
func render(list []scenario.Scenario) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Scenarios\n\nWritten by `go generate ./scenarios`; a test fails when it is stale. %d scenarios.\n",
		len(list))
	group, shared := "", ""
	for _, s := range list {
		if name, _, _ := strings.Cut(s.ID, "/"); name != group {
			group, shared = name, ""
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		if now := s.Protects + "\x00" + s.Source; now != shared {
			shared = now
			fmt.Fprintf(&b, "\nProtects %s.\nSource: %s.\n\n| ID | holds | kind | cost | needs |\n|---|---|---|---|---|\n",
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
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.ID, strings.ReplaceAll(s.Title, "|", `\|`), s.Kind, cost,
			strings.Join(needs, ", "))
	}
	return b.String()
}
