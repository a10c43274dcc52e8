package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/load/testrun"
)

const manifestsLong = `Writes what the k6-operator needs to drive a profile from as many pods as wanted: testrun.yaml (k6.io/v1alpha1),
configmap.yaml with the script, and secret.yaml with the fixture. The load is the one of steamer perf --in-cluster:
the same profile, tier or rate, and settings.

The fixture says what to fetch and holds the tokens to fetch it with; perf/README.md describes it. It comes from a file or, so
that no file holds it before, from standard input. Its tokens should be short-lived: they have to outlast the load, which is
checked, and no more. secret.yaml is readable for you alone; delete it after use, and the Secret after the load.

The operator runs k6 by name, so the image needs k6 with the extension on its PATH. Operators before ` + testrun.SinceOperator + ` cannot leave
their initializer out, which would need the fixture and a shell.`

func newLoadManifests(state *State) *cobra.Command {
	f := &campaign.Manifests{Name: "steamer-load", Namespace: "steamer-load", Output: "load"}
	command := &cobra.Command{
		Use: "manifests", Short: "Write a TestRun of the k6-operator, with its ConfigMap and Secret", Args: cobra.NoArgs,
		Long: manifestsLong,
		Example: `  steamer load fixture | steamer load manifests --fixture - --image registry.example/k6-openbao:1 --profile steady --tier 150 --parallelism 4
  steamer load manifests --fixture fixture.json --target http://openbao-active.openbao.svc:8200 --image … --rate 900 --output-dir load/
  kubectl apply --server-side -f load/       # not without --server-side: that would copy the tokens into an annotation
  steamer load merge logs/ --rate 900 --openbao-version 2.4.0 --unobserved`,
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
