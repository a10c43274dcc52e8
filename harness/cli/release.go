package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/chart/release"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/session"
)

// Environment variables of steamer charts release. The key is a file, so that no secret is ever an
// argument.
const (
	envSignKey        = "STEAMER_SIGN_KEY"
	envSignPassphrase = "STEAMER_SIGN_PASSPHRASE_FILE"
)

func newChartsPackage(state *State) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use: "package CHART...", Short: "Package chart directories reproducibly", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, dir := range args {
				archive, err := chart.Package(dir, output)
				if err != nil {
					return err
				}
				fmt.Fprintf(state.Stdout, "%s  %s\n", archive.Digest, archive.Path)
			}
			return nil
		},
	}
	command.Flags().StringVar(&output, "output-dir", ".", "directory for the archives")
	return command
}

func newChartsRelease(state *State) *cobra.Command {
	var o release.Options
	command := &cobra.Command{
		Use: "release [CHART...]", Short: "Make the archives, checksums, provenance and changes of a release, and push them",
		RunE: func(c *cobra.Command, args []string) error {
			root, err := plan.FindRoot(state.Root)
			if err != nil {
				return err
			}
			o.Root, o.Charts, o.Steamer = root, args, session.Version()
			if len(args) == 0 {
				o.Charts = []string{"charts/openbao"}
			}
			if o.Key, err = signKey(state.Getenv); err != nil {
				return err
			}
			o.Log = func(line string) { fmt.Fprintln(state.Stdout, line) }
			return release.Make(c.Context(), o)
		},
	}
	command.Flags().StringVar(&o.Output, "output-dir", "dist", "directory for the files")
	command.Flags().StringVar(&o.Registry, "registry", "", "oci://REGISTRY/PATH to push to; empty pushes nothing")
	command.Flags().BoolVar(&o.DryRun, "dry-run", false, "check everything, print what would be made and pushed, and stop")
	return command
}

// signKey reads the key that the environment names; nil for none.
func signKey(getenv func(string) string) (*chart.Key, error) {
	file := getenv(envSignKey)
	if file == "" {
		return nil, nil
	}
	return chart.ReadKey(file, func() ([]byte, error) {
		if getenv(envSignPassphrase) == "" {
			return nil, errors.New("the key has a passphrase; name a file that holds it in " + envSignPassphrase)
		}
		return os.ReadFile(getenv(envSignPassphrase))
	})
}
