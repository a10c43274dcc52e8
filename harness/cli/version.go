package cli

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/session"
)

func newVersion(state *State) *cobra.Command {
	command := &cobra.Command{
		Use: "version", Short: "Print the version of Steamer",
		RunE: func(*cobra.Command, []string) error {
			about := struct {
				Version  string `json:"version"` // with the commit
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{session.Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return printed(state, about, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "steamer %s, %s, %s\n", about.Version, about.Go, about.Platform)
				return err
			})
		},
	}
	addFormat(command, "")
	return command
}
