package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/session"
)

func newVersion(state *State) *cobra.Command {
	var format string
	command := &cobra.Command{
		Use: "version", Short: "Print the version of Steamer", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			about := struct {
				Version  string `json:"version"` // with the commit
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{session.Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return printed(state, format, about, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "steamer %s, %s, %s\n", about.Version, about.Go, about.Platform)
				return err
			})
		},
	}
	addFormat(command, &format)
	return command
}

// addFormat adds the form in which a command prints data.
func addFormat(c *cobra.Command, format *string) {
	c.Flags().StringVarP(format, "format", "o", "text", "text or json")
}

// recordFormat is the value of -o of a command that prints the record that it also writes to a
// file.
type recordFormat struct{ state *State }

func (f recordFormat) String() string {
	if f.state != nil && f.state.JSON {
		return "json"
	}
	return "text"
}

func (f recordFormat) Set(form string) error {
	f.state.JSON = form == "json"
	return choice("--format", form, "text", "json")
}

func (recordFormat) Type() string { return "string" }

// addRecordFormat adds -o to a command that prints the record that it also writes to a file.
func addRecordFormat(c *cobra.Command, state *State) {
	addFlags(c, "Output", func(set *pflag.FlagSet) {
		set.VarP(recordFormat{state}, "format", "o", "what is printed: text, or json for the record")
	})
}

// printed prints data as text or as JSON.
func printed(state *State, format string, data any, text func(io.Writer) error) error {
	switch format {
	case "text", "table": // the second is an older name
		return text(state.Stdout)
	case "json":
		encoder := json.NewEncoder(state.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(data)
	}
	return choice("--format", format, "text", "json")
}
