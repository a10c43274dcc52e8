package document_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/calibrate"
	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults/protocol"
	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/testrun"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

// kind is one kind of file that Steamer reads.
type kind struct {
	good []byte // as it is in the tree, or as Steamer writes it
	read func(t testing.TB, name string, data []byte) error
	json bool // Steamer writes it; else people do
	head bool // it has apiVersion and kind
	open bool // it may have any key
}

func kinds(t testing.TB) map[string]kind {
	t.Helper()
	file := func(path string) []byte {
		data, err := os.ReadFile(filepath.Join("..", path))
		require.NoError(t, err)
		return data
	}
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	asFile := func(t testing.TB, name string, data []byte) string {
		path := filepath.Join(t.TempDir(), filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	doc := compare.New("test", compare.DefaultDesign())
	compare.Judge(doc, nil)
	comparison, err := compare.Encode(doc)
	require.NoError(t, err)
	decision, err := gate.Encode(&gate.Decision{
		APIVersion: gate.APIVersion, Kind: gate.Kind, Verdict: result.Fail, Evidence: []gate.File{{Path: "a"}},
	})
	require.NoError(t, err)
	experiments, err := json.Marshal(findings.NewReport("x", "y"))
	require.NoError(t, err)
	return map[string]kind{
		"plan": {
			good: []byte("apiVersion: steamer/v1\nkind: Plan\ntier: 12\n"), head: true,
			read: func(t testing.TB, _ string, data []byte) error {
				_, err := plan.Read(asFile(t, "some.file", data), plan.Default("."))
				return err
			},
		},
		"profile": {good: file("../perf/profiles/smoke.yaml"), head: true, read: reads(load.ParseProfile)},
		"slo":     {good: file("../perf/slo.yaml"), head: true, read: reads(judge.ParseSLO)},
		"experiment": {
			good: file("../perf/experiments/pool.yaml"), head: true, read: reads(findings.Parse),
		},
		"quarantine": {
			good: fmt.Appendf(nil, "apiVersion: steamer/v1\nkind: Quarantine\nmetrics:\n"+
				"- metric: fetch_p50_ms\n  reason: noise\n"+
				"  since: %sT00:00:00Z\n  expires: %sT00:00:00Z\n", day(-1), day(1)),
			head: true, read: reads(compare.ParseQuarantine),
		},
		"baseline": {
			good: fmt.Appendf(nil, "apiVersion: steamer/v1\nkind: Baseline\nchart: openbao\nfindings:\n"+
				"- rule: security/images\n"+
				"  severity: error\n  message: an image\n  reason: known\n  owner: me\n  expires: %s\n", day(30)),
			head: true, read: func(_ testing.TB, name string, data []byte) error {
				_, err := lint.ParseBaseline(name, data, time.Now())
				return err
			},
		},
		"dialect": {good: file("topology/dialects/gitlab.yaml"), read: reads(topology.ParseDialect)},
		"protocol": {
			good: []byte("apiVersion: steamer/v1\nkind: Protocol\nid: a\ntitle: b\nsource: c\nbase: gitlab\n" +
				"operations:\n- id: delete\n  asks: delete\n  title: d\n  source: e\n  retriedBy: f\n  retries: 1\n" +
				"  steps:\n  - name: g\n    method: GET\n    path: h\n"),
			head: true, read: func(t testing.TB, _ string, data []byte) error {
				_, err := protocol.Read(asFile(t, "some.file", data))
				return err
			},
		},
		"recipe":    {good: file("gitlab/recipes/two-level-jwt.yaml"), read: reads(gitlab.ParseRecipe)},
		"allowance": {good: file("lint/allowances/every.yaml"), read: reads(lint.ParseAllowance)},
		"values":    {good: file("../charts/openbao/values.yaml"), read: reads(chart.ParseValues), open: true},
		"mutants": {good: file("../scenarios/mutants/server.yaml"), read: func(t testing.TB, _ string, data []byte) error {
			path := asFile(t, mutation.Dir+"/some.file.yaml", data)
			_, err := mutation.Read(strings.TrimSuffix(path, "/"+mutation.Dir+"/some.file.yaml"), scenarios.All())
			return err
		}},
		"fixture": {
			good: []byte(`{"version":1,"target":"http://a.example","tenants":[{"name":"a","secretPath":"b","authPath":"c",` +
				`"role":"d","jwt":"e","secrets":[]}]}`),
			json: true, read: func(_ testing.TB, _ string, data []byte) error {
				_, err := testrun.ReadFixture(data, "", time.Now(), time.Minute)
				return err
			},
		},
		"result":       {good: file("result/testdata/run-v1.json"), json: true, head: true, read: reads(result.Decode)},
		"comparison":   {good: comparison, json: true, head: true, read: reads(compare.Decode)},
		"decision":     {good: decision, json: true, head: true, read: reads(gate.Decode)},
		"charts check": {good: file("gate/testdata/charts-check.json"), json: true, head: true, read: reads(lint.Decode)},
		"outcomes":     {good: file("gate/testdata/mutants.json"), json: true, head: true, read: reads(mutation.Decode)},
		"campaign": {
			good: file("calibrate/testdata/campaign-quiet.json"), json: true, head: true, read: reads(calibrate.DecodeCampaign),
		},
		"findings": {good: experiments, json: true, head: true, read: func(t testing.TB, _ string, data []byte) error {
			_, err := findings.Join([]string{filepath.Dir(asFile(t, "some.file/findings.json", data))})
			return err
		}},
	}
}

func reads[T any](decode func(string, []byte) (T, error)) func(testing.TB, string, []byte) error {
	return func(_ testing.TB, name string, data []byte) error {
		_, err := decode(name, data)
		return err
	}
}

// TestOneStrictness sends the same bad input through every reader.
func TestOneStrictness(t *testing.T) {
	t.Parallel()
	for name, k := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, k.read(t, "some.file", k.good))
			asJSON, err := yaml.YAMLToJSON(k.good)
			require.NoError(t, err)
			require.NoError(t, k.read(t, "some.file", asJSON), "JSON is YAML")
			withMark := k.read(t, "some.file", append([]byte("\ufeff"), k.good...))
			require.Equal(t, k.json, withMark != nil, "a byte order mark is YAML's: %v", withMark)
			for what, data := range bad(t, k, string(asJSON)) {
				err := k.read(t, "some.file", []byte(data))
				require.Error(t, err, what)
				require.Equal(t, exit.Invalid, exit.CodeOf(err), "%s: %v", what, err)
				text, hint, hinted := strings.Cut(err.Error(), "\n  hint: ")
				require.True(t, hinted && hint != "" && !strings.Contains(hint, "\n"), "%s: %v", what, err)
				require.NotContains(t, text, "\n", what)
				if name != "fixture" {
					require.Contains(t, text, "some.file", what)
				}
			}
		})
	}
}

// bad are inputs that nobody may accept, made from a good one.
func bad(t testing.TB, k kind, good string) map[string]string {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(good), &fields))
	var key string
	for _, candidate := range []string{"apiVersion", "version", "release", "mutants", "id", "namespaced", "replicaCount"} {
		if fields[candidate] != nil {
			key = candidate
			break
		}
	}
	require.NotEmpty(t, key, "a key that stands in the file")
	changed := func(key, value string) string {
		other := maps.Clone(fields)
		if other[key] = json.RawMessage(value); value == "" {
			delete(other, key)
		}
		out, err := json.Marshal(other)
		require.NoError(t, err)
		return string(out)
	}
	with := func(field string) string { return "{" + field + "," + good[1:] }
	first := func(old, with string) string {
		out := strings.Replace(good, old, with, 1)
		require.NotEqual(t, good, out)
		return out
	}
	all := map[string]string{
		"second document": good + "\n---\n" + good, "text after it": good + "\n}",
		"duplicate key": with(fmt.Sprintf("%q: %s", key, fields[key])),
		"NaN":           with(`"odd": .nan`), "infinity": with(`"odd": -.inf`),
		"not YAML": "a: [b", "binary": "\x00\x01\x7fELF", "not UTF-8": "a: \xff\xfe\n",
		"list": "[1, 2]", "text": "hello\n", "truncated": good[:len(good)/2],
	}
	if !k.open {
		all["empty"], all["spaces"], all["comment"], all["null"] = "", " \n ", "# nothing\n", "null\n"
		all["unknown key"] = with(`"odd": 1`)
		all["wrong case"] = first(fmt.Sprintf("%q", key), fmt.Sprintf("%q", strings.ToUpper(key[:1])+key[1:]))
	}
	if k.head {
		all["newer version"], all["other version"] = changed("apiVersion", `"steamer/v9"`),
			changed("apiVersion", `"other/v1"`)
		all["wrong kind"], all["no kind"] = changed("kind", `"Poem"`), changed("kind", "")
	}
	if !k.json {
		all["10 MiB"] = good + "\n#" + strings.Repeat("x", 10<<20)
		bomb := "a0: &a0 [x]\n" // a billion laughs
		for i := range 9 {
			bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9),
				", "))
		}
		all["aliases"] = bomb
	}
	return all
}

// TestErrorsHaveLines: an error of a file that people write says where.
func TestErrorsHaveLines(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"name: a\nlist:\n- x: 1\n- {x: 2, z: 3}\n": `line 4: unknown field "list[1].z"`,
		"name: a\nwait: 1s\nname: b\n":             `line 3: the key "name" occurs twice`,
		"name: a\nlist:\n- x: .inf\n":              `line 3: .inf is not a finite number`,
		"name: a\n\nsize: small\n":                 `line 3: size: want a whole number that fits int, not a text`,
		"name: [a]\n":                              `line 1: name: want a text, not a list`,
		"name: a\n  odd: b\n":                      `not valid YAML: line 2:`,
		"- a\n":                                    `the document: want a mapping, not a list`,
		"a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\n":     `line 5: unknown field "e"; and 1 more`,
	} {
		var d struct {
			Name string            `json:"name"`
			Wait document.Duration `json:"wait"`
			Size int               `json:"size"`
			List []struct {
				X float64 `json:"x"`
			} `json:"list"`
		}
		require.ErrorContains(t, document.YAML([]byte(in), &d), want, in)
	}
}

// FuzzKinds reads anything or refuses it, with the right code.
func FuzzKinds(f *testing.F) {
	all := kinds(f)
	for _, k := range all {
		f.Add(k.good)
	}
	for _, text := range []string{
		"", "a: &a [*a]", "? {a: b}\n: c", "{<<: {a: 1}, a: 2}", "a: !!binary x",
		"a: 1_000.5e9999",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, k := range all {
			if err := k.read(t, "fuzz", bytes.Clone(data)); err != nil {
				require.Equal(t, exit.Invalid, exit.CodeOf(err), "%s: %v", name, err)
			}
		}
	})
}
