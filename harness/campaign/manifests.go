package campaign

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/pods"
	"gitlab.com/steamer/steamer/harness/load/testrun"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/target/kind"
)

// Manifests says what the k6-operator is to drive, and where.
type Manifests struct {
	Plan       plan.Plan      // profile, tier and rate
	Fixture    string         // file with the load generator's fixture; "-" is standard input
	Target     string         // URL at which the pods reach OpenBao; empty for the fixture's
	Image      string         // with k6 and the extension
	Generators plan.InCluster // how many pods share the load, and their limits
	Name       string         // of the TestRun, the ConfigMap and the Secret
	Namespace  string
	Output     string // directory for the manifests
}

// Write writes the manifests, and prints what to do with them. stdin has the fixture where Fixture
// is "-". Errors are of code exit.Invalid.
func (m *Manifests) Write(sess *session.Session, stdin io.Reader) error {
	root, err := plan.FindRoot(sess.Root)
	if err != nil {
		return err
	}
	profile, rate, err := m.Plan.Workload(root)
	if err := cmp.Or(err, m.Generators.Check()); err != nil {
		return err
	}
	document, err := m.document(stdin)
	if err != nil {
		return err
	}
	length := time.Duration(profile.Warmup) + time.Duration(profile.Duration)
	fixture, err := testrun.ReadFixture(document, m.Target, time.Now(), length)
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
		corev1.ResourceCPU:    m.Generators.CPU,
		corev1.ResourceMemory: m.Generators.Memory,
	} {
		if quantity != "" {
			limits[name] = resource.MustParse(quantity) // checked above
		}
	}
	spec := testrun.Spec{
		Name: m.Name, Namespace: m.Namespace, Image: m.Image, Parallelism: m.Generators.Parallelism, Scripts: scripts,
		Job:       load.Job{Name: m.Name, Profile: profile, Rate: rate, Target: fixture.Target, Fixture: fixture.Document},
		Resources: corev1.ResourceRequirements{Limits: limits},
	}
	if err := spec.Check(); err != nil {
		return err
	}
	if err := spec.Write(m.Output); err != nil {
		return err
	}
	return m.explain(sess.Stdout, fixture, rate, length)
}

func (m *Manifests) document(stdin io.Reader) ([]byte, error) {
	switch m.Fixture {
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
	data, err := os.ReadFile(m.Fixture)
	if err != nil {
		return nil, exit.Invalidf("--fixture "+m.Fixture,
			"name the file with the load generator's fixture, or - for standard input", "%w", err)
	}
	return data, nil
}

// explain says what was written and what to do with it.
func (m *Manifests) explain(w io.Writer, fixture testrun.Fixture, rate float64, length time.Duration) error {
	expiry := "its tokens do not say when they expire"
	if !fixture.Expires.IsZero() {
		expiry = "its first token expires at " + fixture.Expires.UTC().Format(time.RFC3339)
	}
	asked := []string{"--profile " + m.Plan.Profile, "--tier " + m.Plan.Tier}
	if m.Plan.Rate > 0 {
		asked = append(asked, fmt.Sprintf("--rate %g", m.Plan.Rate))
	}
	n := m.Generators.Parallelism
	_, err := fmt.Fprintf(w, `%[1]s: %[2]d pods, %[3]g fetches/s together for %[4]s, %[5]s
%[1]s/%[6]s holds tokens (%[7]s). It is readable for you alone:
keep it out of version control, and delete it once it is applied.

  kubectl apply --server-side -f %[1]s/   # needs k6-operator %[8]s or newer, and namespace %[9]s
  rm %[1]s/%[6]s; mkdir -p logs
  for i in $(seq %[2]d); do                        # as soon as the pods run; kubelets keep only the last 10 MiB
    kubectl --namespace %[9]s logs --follow job/%[10]s-$i > logs/$i.log &
  done; wait
  kubectl --namespace %[9]s delete testrun/%[10]s secret/%[10]s configmap/%[10]s
  steamer load merge logs/ %[11]s --openbao-version VERSION --unobserved
`, m.Output, n, rate, length, fixture, testrun.SecretFile, expiry, testrun.SinceOperator, m.Namespace, m.Name,
		strings.Join(asked, " "))
	return err
}

// Fixture runs a plan of one topology up to the load, leaves it running, and writes the load
// generator's fixture to standard output. Its tokens are good for ttl. The verdict is PASS where
// it was written.
func Fixture(ctx context.Context, sess *session.Session, root string, p plan.Plan, ttl time.Duration, dryRun bool) (
	result.Verdict, error,
) {
	if len(p.Topologies) != 1 {
		return "", exit.Invalidf("--topology", "name the one that is to be loaded",
			"a fixture is of one topology, and the plan has %d", len(p.Topologies))
	}
	p.Load, p.Cluster.Keep = false, true
	messages := *sess
	messages.Stdout = sess.Stderr // the document is all there is on standard output
	if dryRun {
		messages.Stdout = sess.Stdout
	}
	return messages.Measure(ctx, root, p, session.OnTopologies{
		Name: "fixture", DryRun: dryRun, Keep: true,
		Measure: func(ctx context.Context, t *kind.Target, p *plan.Resolved, _ string) (result.Verdict, error) {
			document, err := t.Fixture(ctx, p.Profile, ttl)
			if err != nil {
				return "", err
			}
			// The fixture is tokens, and who pipes it asked for them.
			if _, err := secret.Unwrap(sess.Stdout).Write(append(document, '\n')); err != nil {
				return "", exit.Environmentf("standard output", "the program that was to read the fixture is gone", "%w", err)
			}
			return result.Pass, nil
		},
	})
}
