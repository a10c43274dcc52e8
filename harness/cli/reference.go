package cli

import (
	"io"

	"github.com/spf13/cobra"
)

// Reference returns the command tree to describe, not to run: it takes nothing from the process.
func Reference() *cobra.Command {
	root, _ := newRoot(&State{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }})
	return root
}
