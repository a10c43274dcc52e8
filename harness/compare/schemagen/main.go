// Schemagen writes the JSON schema of compare.Comparison. It must run in the directory of package
// compare, as go generate does.
//
// Usage: schemagen <output file>
package main

import (
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/document/schemadoc"
	"gitlab.com/steamer/steamer/harness/result"
)

func main() { schemadoc.Main(generate) }

// generate renders the schema.
func generate() ([]byte, error) {
	verdicts := []any{result.Pass, result.Fail, result.Inconclusive}
	statuses := []any{result.Passed, result.Failed, result.Skipped}
	return schemadoc.Document{
		Of: &compare.Comparison{}, File: "comparison.schema.json", Title: "Steamer comparison, " + result.APIVersion,
		Comments: map[string]string{"compare": ".", "result": "../result"},
		Enums: []schemadoc.Enum{
			{Type: "Comparison", Field: "verdict", Values: verdicts},
			{Type: "Metric", Field: "verdict", Values: verdicts},
			{Type: "Outcome", Field: "verdict", Values: verdicts},
			{Type: "Interim", Field: "verdict", Values: verdicts},
			{Type: "Comparison", Field: "apiVersion", Values: []any{result.APIVersion}},
			{Type: "Comparison", Field: "kind", Values: []any{compare.Kind}},
			{Type: "Functional", Field: "a", Values: statuses},
			{Type: "Functional", Field: "b", Values: statuses},
			{Type: "Pair", Field: "order", Values: []any{"AB", "BA"}},
			{Type: "Metric", Field: "change", Values: []any{"more", "less", "none shown", ""}},
		},
	}.Generate()
}
