package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
)

func newLoadManifests(state *State) *cobra.Command {
	f := &campaign.Manifests{Name: "steamer-load", Namespace: "steamer-load", Output: "load"}
	command := &cobra.Command{
		Use: "manifests", Short: "Write a TestRun of the k6-operator, with its ConfigMap and Secret", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.Write(state, c.InOrStdin()) },
	}
	addForeignLoad(command, &f.Plan)
	addFlags(command, "Target", func(set *pflag.FlagSet) {
		set.StringVar(&f.Fixture, "fixture", "", "file with the load generator's fixture; - is standard input")
		set.StringVar(&f.Target, "target", "", "URL at which the pods reach OpenBao (default: the fixture's)")
	})
	addFlags(command, "Load generator", func(set *pflag.FlagSet) {
		set.StringVar(&f.Image, "image", "", "image with k6 and the extension")
		bindGenerators(set, &f.Generators, 2, "")
	})
	addFlags(command, "Output", func(set *pflag.FlagSet) {
		set.StringVar(&f.Name, "name", f.Name, "name of the TestRun, the ConfigMap and the Secret")
		set.StringVarP(&f.Namespace, "namespace", "n", f.Namespace,
			"namespace of the TestRun, the ConfigMap and the Secret, which has to be there")
		set.StringVar(&f.Output, "output-dir", f.Output, "directory for the manifests")
	})
	oldNames(command, planNames())
	return command
}
