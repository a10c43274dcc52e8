// Command reference writes docs/reference from the code: the command line, the exit codes, the
// metrics, and the JSON schemas of files. Run it by `go generate
// ./hack/reference`; it works from any directory of the tree.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/plan"
)

//go:generate go run .

// dir is where the documents go, relative to the source tree.
const dir = "docs/reference"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := plan.FindRoot("")
	if err != nil {
		return err
	}
	documents, err := generate(root)
	if err != nil {
		return err
	}
	for name, text := range documents {
		if err := os.WriteFile(filepath.Join(root, dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate renders every document, by its file's name.
func generate(root string) (map[string][]byte, error) {
	documents := map[string][]byte{}
	for name, write := range map[string]func(root string) ([]byte, error){
		"cli.md": commandLine, "exit-codes.md": exitCodes, "metrics.md": metrics,
		"slo.schema.json": sloSchema, "plan.schema.json": planSchema, "profile.schema.json": profileSchema,
		"baseline.schema.json": baselineSchema, "result.schema.json": resultSchema,
		"comparison.schema.json": comparisonSchema,
	} {
		text, err := write(root)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		documents[name] = text
	}
	return documents, nil
}
