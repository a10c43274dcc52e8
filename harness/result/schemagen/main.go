// Schemagen writes the JSON schema of result.Result, so that other tools can check and read
// results. It must run in the directory of package result, as go generate does.
//
// Usage: schemagen <output file>
package main

import (
	"gitlab.com/steamer/steamer/harness/document/schemadoc"
	"gitlab.com/steamer/steamer/harness/result"
)

func main() { schemadoc.Main(generate) }

// generate renders the schema.
func generate() ([]byte, error) {
	verdicts := []any{result.Pass, result.Fail, result.Inconclusive}
	return schemadoc.Document{
		Of: &result.Result{}, File: "result.schema.json", Title: "Steamer result, " + result.APIVersion,
		Comments: map[string]string{"result": "."},
		Enums: []schemadoc.Enum{
			{Type: "Result", Field: "verdict", Values: verdicts},
			{Type: "Topology", Field: "verdict", Values: verdicts},
			{Type: "Check", Field: "verdict", Values: verdicts},
			{Type: "Scenario", Field: "status", Values: []any{result.Passed, result.Failed, result.Skipped}},
			{Type: "Scenario", Field: "subject", Values: []any{
				result.SubjectChart, result.SubjectServer, result.SubjectGitLab,
			}},
			{Type: "Result", Field: "apiVersion", Values: []any{result.APIVersion}},
			{Type: "Result", Field: "kind", Values: []any{result.Kind}},
			{Type: "Check", Field: "kind", Values: []any{"slo", "validity"}},
			{Type: "Interval", Field: "phase", Values: []any{"warmup", "measure", "excursion"}},
		},
	}.Generate()
}
