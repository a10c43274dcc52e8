package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
)

func newImages(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "images", Short: "Build, list, save and load the container images of a run",
	}, newImagesBuild(state), newImagesList(state), newImagesSave(state), newImagesLoad(state))
}

func newImagesBuild(state *State) *cobra.Command {
	return &cobra.Command{
		Use: "build [IMAGE...]", Short: "Build the images that the cache does not hold",
		Long: fmt.Sprintf(`Images: %v; only where they are named: %v.
Programs: bao, k6, vault-program. Without arguments all images but those.
NAME:VERSION asks for a version; Steamer builds one of each. Of Vault that is
one under the Mozilla Public License; one under the Business Source License is never built.`,
			images.Names(), images.Optional()),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := state.Builder()
			if err != nil {
				return err
			}
			programs := map[string]func(context.Context) (string, error){
				"bao": b.OpenBaoBinary, "k6": b.K6Binary, "vault-program": b.VaultBinary,
			}
			if len(args) == 1 && programs[args[0]] != nil {
				path, err := programs[args[0]](c.Context())
				if err != nil {
					return exit.Environmentf("program "+args[0], "steamer doctor", "%w", err)
				}
				_, err = fmt.Fprintln(state.Stdout, path)
				return err
			}
			if len(args) == 0 {
				args = images.Names()
			}
			built, err := b.Ensure(c.Context(), args...)
			if err != nil {
				return err
			}
			return images.WriteTable(state.Stdout, built)
		},
	}
}

func newImagesList(state *State) *cobra.Command {
	command := &cobra.Command{
		Use: "list", Short: "List the images and whether the cache holds them",
		RunE: func(*cobra.Command, []string) error {
			b, err := state.Builder()
			if err != nil {
				return err
			}
			list, err := b.List()
			if err != nil {
				return err
			}
			return printed(state, list, func(w io.Writer) error { return images.WriteTable(w, list) })
		},
	}
	addFormat(command, "")
	command.Flags().BoolVar(&state.JSON, "json", false, "print JSON")
	_ = command.Flags().MarkHidden("json") // an older name of -o json
	return command
}

func newImagesSave(state *State) *cobra.Command {
	return &cobra.Command{
		Use: "save DIRECTORY", Short: "Copy the images, built if need be, to a directory", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := state.Builder()
			if err != nil {
				return err
			}
			return b.Save(c.Context(), args[0])
		},
	}
}

func newImagesLoad(state *State) *cobra.Command {
	return &cobra.Command{
		Use: "load DIRECTORY", Short: "Put images that save copied into this machine's cache", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := os.Stat(filepath.Join(args[0], images.Manifest)); err != nil {
				return exit.Invalidf(args[0], "name a directory that steamer images save wrote", "%w", err)
			}
			b, err := state.Builder()
			if err != nil {
				return err
			}
			loaded, err := b.Load(args[0])
			if err != nil {
				return err
			}
			return images.WriteTable(state.Stdout, loaded)
		},
	}
}
