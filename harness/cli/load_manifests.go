package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/pods"
	"gitlab.com/steamer/steamer/harness/load/testrun"
	"gitlab.com/steamer/steamer/harness/plan"
)

const manifestsLong = `Writes what the k6-operator needs to drive a profile from as many pods as wanted: testrun.yaml (k6.io/v1alpha1),
configmap.yaml with the script, and secret.yaml with the fixture. The load is the one of steamer perf --in-cluster:
the same profile, tier or rate, and settings.

The fixture says what to fetch and holds the tokens to fetch it with; perf/README.md describes it. It comes from a file or, so
that no file holds it before, from standard input. Its tokens should be short-lived: they have to outlast the load, which is
checked, and no more. secret.yaml is readable for you alone; delete it after use, and the Secret after the load.

The operator runs k6 by name, so the image needs k6 with the extension on its PATH. Operators before ` + testrun.SinceOperator + ` cannot leave
their initializer out, which would need the fixture and a shell.`

type manifestsFlags struct {
	loadFlags
	fixture, target, image, name, namespace, output string
	generators                                      plan.InCluster
}

func newLoadManifests(state *State) *cobra.Command {
	f := &manifestsFlags{name: "steamer-load", namespace: "steamer-load", output: "load"}
	command := &cobra.Command{
		Use: "manifests", Short: "Write a TestRun of the k6-operator, with its ConfigMap and Secret", Args: cobra.NoArgs,
		Long: manifestsLong,
		Example: `  steamer load fixture | steamer load manifests --fixture - --image registry.example/k6-openbao:1 --profile steady --tier 150 --parallelism 4
  steamer load manifests --fixture fixture.json --target http://openbao-active.openbao.svc:8200 --image … --rate 900 --output-dir load/
  kubectl apply --server-side -f load/       # not without --server-side: that would copy the tokens into an annotation
  steamer load merge logs/ --rate 900 --openbao-version 2.4.0 --unobserved`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), state, c.InOrStdin()) },
	}
	f.add(command)
	addFlags(command, "Target", func(set *pflag.FlagSet) {
		set.StringVar(&f.fixture, "fixture", "", "file with the load generator's fixture; - is standard input")
		set.StringVar(&f.target, "target", "", "URL at which the pods reach OpenBao (default: the fixture's)")
	})
	addFlags(command, "Load generator", func(set *pflag.FlagSet) {
		set.StringVar(&f.image, "image", "", "image with k6 and the extension")
		bindGenerators(set, &f.generators, 2, "")
	})
	addFlags(command, "Output", func(set *pflag.FlagSet) {
		set.StringVar(&f.name, "name", f.name, "name of the TestRun, the ConfigMap and the Secret")
		set.StringVarP(&f.namespace, "namespace", "n", f.namespace,
			"namespace of the TestRun, the ConfigMap and the Secret, which has to be there")
		set.StringVar(&f.output, "output-dir", f.output, "directory for the manifests")
	})
	oldNames(command, planNames())
	return command
}

func (f *manifestsFlags) run(_ context.Context, state *State, stdin io.Reader) error {
	root, profile, rate, err := f.read(state)
	if err != nil {
		return err
	}
	if err := f.generators.Check(); err != nil {
		return err
	}
	document, err := f.document(stdin)
	if err != nil {
		return err
	}
	length := time.Duration(profile.Warmup) + time.Duration(profile.Duration)
	fixture, err := testrun.ReadFixture(document, f.target, time.Now(), length)
	if err != nil {
		return err
	}
	scripts, err := pods.Scripts(filepath.Join(root, "perf/scripts"), profile.Workload)
	if err != nil {
		return err
	}
	delete(scripts, pods.MainScript) // the operator's runners get their share by arguments
	limits := corev1.ResourceList{}
	for name, quantity := range map[corev1.ResourceName]string{
		corev1.ResourceCPU:    f.generators.CPU,
		corev1.ResourceMemory: f.generators.Memory,
	} {
		if quantity != "" {
			limits[name] = resource.MustParse(quantity) // checked above
		}
	}
	spec := testrun.Spec{
		Name: f.name, Namespace: f.namespace, Image: f.image, Parallelism: f.generators.Parallelism, Scripts: scripts,
		Job:       load.Job{Name: f.name, Profile: profile, Rate: rate, Target: fixture.Target, Fixture: fixture.Document},
		Resources: corev1.ResourceRequirements{Limits: limits},
	}
	if err := spec.Check(); err != nil {
		return err
	}
	if err := spec.Write(f.output); err != nil {
		return err
	}
	return f.explain(state.Stdout, fixture, rate, length)
}

func (f *manifestsFlags) document(stdin io.Reader) ([]byte, error) {
	switch f.fixture {
	case "":
		return nil, exit.Invalidf("--fixture",
			"name the file with the load generator's fixture, or - for standard input; perf/README.md describes it",
			"it is missing")
	case "-":
		data, err := io.ReadAll(io.LimitReader(stdin, 64<<20))
		if err != nil {
			return nil, exit.Invalidf("--fixture -", "pipe the fixture in", "%w", err)
		}
		return data, nil
	}
	data, err := os.ReadFile(f.fixture)
	if err != nil {
		return nil, exit.Invalidf("--fixture "+f.fixture,
			"name the file with the load generator's fixture, or - for standard input", "%w", err)
	}
	return data, nil
}

// explain says what was written and what to do with it.
func (f *manifestsFlags) explain(w io.Writer, fixture testrun.Fixture, rate float64, length time.Duration) error {
	expiry := "its tokens do not say when they expire"
	if !fixture.Expires.IsZero() {
		expiry = "its first token expires at " + fixture.Expires.UTC().Format(time.RFC3339)
	}
	asked := []string{"--profile " + f.plan.Profile, "--tier " + f.plan.Tier}
	if f.plan.Rate > 0 {
		asked = append(asked, fmt.Sprintf("--rate %g", f.plan.Rate))
	}
	n := f.generators.Parallelism
	_, err := fmt.Fprintf(w, `%[1]s: %[2]d pods, %[3]g fetches/s together for %[4]s, %[5]s
%[1]s/%[6]s holds tokens (%[7]s). It is readable for you alone:
keep it out of version control, and delete it once it is applied.

  kubectl apply --server-side -f %[1]s/            # the k6-operator %[8]s or newer, and the namespace %[9]s, have to be there
  rm %[1]s/%[6]s; mkdir -p logs
  for i in $(seq %[2]d); do                        # as soon as the pods run; kubelets keep only the last 10 MiB
    kubectl --namespace %[9]s logs --follow job/%[10]s-$i > logs/$i.log &
  done; wait
  kubectl --namespace %[9]s delete testrun/%[10]s secret/%[10]s configmap/%[10]s
  steamer load merge logs/ %[11]s --openbao-version VERSION --unobserved
`, f.output, n, rate, length, fixture, testrun.SecretFile, expiry, testrun.SinceOperator, f.namespace, f.name, strings.Join(asked, " "))
	return err
}
