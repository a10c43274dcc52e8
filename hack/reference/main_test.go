package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/plan"
)

const root = "../.."

// TestDocuments is one test because the generator changes the working directory.
func TestDocuments(t *testing.T) {
	abs, err := filepath.Abs(root)
	require.NoError(t, err)
	documents, err := generate(abs)
	require.NoError(t, err)
	for name, text := range documents {
		published, err := os.ReadFile(filepath.Join(abs, dir, name))
		require.NoError(t, err, "run go generate ./hack/reference")
		if !bytes.Equal(published, text) {
			t.Errorf("docs/reference/%s is stale: run go generate ./hack/reference", name)
		}
		require.NotContains(t, string(text), abs, "%s names no path of this machine", name)
	}
	for _, want := range []string{"## steamer slo explain", "[steamer run](#steamer-run)", "--dry-run"} {
		require.Contains(t, string(documents["cli.md"]), want)
	}
	require.Contains(t, string(documents["exit-codes.md"]), "| 130 | Interrupted |")
	require.Contains(t, string(documents["metrics.md"]), "| `fetch_p99_ms` | p99 from the intended start | ms |")
	require.Contains(t, string(documents["metrics.md"]), "| `steamer_verdict` |")

	slo := schema(t, documents["slo.schema.json"])
	shipped, err := os.ReadFile(filepath.Join(abs, "perf/slo.yaml"))
	require.NoError(t, err)
	require.NoError(t, slo.Validate(generic(t, string(shipped))))
	for name, change := range map[string][2]string{
		"typo":     {"environmentLatency:", "enviromentLatency:"},
		"metric":   {"metric: error_rate", "metric: errors"},
		"topology": {"topology: any", "topology: cloud-natve"},
		"kind":     {"kind: SLO", "kind: Plan"},
		"limit":    {"limit: 100,", "limit: fast,"},
	} {
		text := strings.Replace(string(shipped), change[0], change[1], 1)
		require.NotEqual(t, string(shipped), text, name)
		require.Error(t, slo.Validate(generic(t, text)), name)
	}

	plans := schema(t, documents["plan.schema.json"])
	text, err := plan.Default(".").YAML()
	require.NoError(t, err)
	require.NoError(t, plans.Validate(generic(t, text)))
	require.NoError(t, plans.Validate(generic(t, "apiVersion: steamer/v1\nkind: Plan\ntenants: 5\n")),
		"the rest has defaults")
	require.Error(t, plans.Validate(generic(t, "apiVersion: steamer/v1\nkind: Plan\ntenant: 5\n")))
	require.Error(t, plans.Validate(generic(t, "apiVersion: steamer/v1\nkind: Plan\ntopologies: [moon]\n")))

	profiles, err := filepath.Glob(filepath.Join(abs, "perf/profiles/*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, profiles)
	for _, path := range profiles {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, schema(t, documents["profile.schema.json"]).Validate(generic(t, string(raw))), path)
	}
}

func schema(t *testing.T, doc []byte) *jsonschema.Schema {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("schema.json", v))
	s, err := c.Compile("schema.json")
	require.NoError(t, err)
	return s
}

// generic reads YAML as a validator in another language would.
func generic(t *testing.T, text string) any {
	t.Helper()
	b, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	require.NoError(t, err)
	return v
}
