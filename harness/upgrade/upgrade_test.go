package upgrade_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

const (
	reference = "../../charts/openbao"
	released  = "../../scenarios/testdata/openbao-0.1.0.tgz"
)

func load(t *testing.T, source string) *chart.Chart {
	t.Helper()
	c, err := chart.Load(source)
	require.NoError(t, err)
	return c
}

func setting(t *testing.T) upgrade.Setting {
	t.Helper()
	dialect, err := topology.DialectNamed("gitlab")
	require.NoError(t, err)
	return upgrade.Setting{Dialect: dialect, Topology: topology.CloudNative}
}

// copied is a copy of the reference chart with edits, FILE: OLD -> NEW, each OLD exactly once; a
// file that is not there is made of NEW.
func copied(t *testing.T, edits ...[3]string) *chart.Chart {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "openbao")
	require.NoError(t, filepath.WalkDir(reference, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		to := filepath.Join(dir, strings.TrimPrefix(path, reference))
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		return os.WriteFile(to, data, 0o644)
	}))
	for _, edit := range edits {
		file := filepath.Join(dir, edit[0])
		data, err := os.ReadFile(file)
		if edit[1] == "" {
			require.Error(t, err)
			require.NoError(t, os.WriteFile(file, []byte(edit[2]), 0o644))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(data), edit[1]), "%s in %s", edit[1], edit[0])
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(data), edit[1], edit[2], 1)), 0o644))
	}
	return load(t, dir)
}

// object is a template with one object.
func object(name, body string) [3]string {
	return [3]string{"templates/extra-" + name + ".yaml", "", body}
}

const (
	plainSecret = "apiVersion: v1\nkind: Secret\nmetadata: {name: mine%s}\nstringData: {token: abc, other: def}\n"
	claim       = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data%s}\n" +
		"spec: {accessModes: [ReadWriteOnce]}\n"
	set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: side}\nspec:\n  serviceName: side\n" +
		"  selector: {matchLabels: {a: b}}\n  template: {metadata: {labels: {a: b}}, spec: {containers: []}}\n" +
		"  volumeClaimTemplates: [{metadata: {name: %s}}]\n"
)

// TestPredict upgrades from a sound copy of the chart to one with a defect. Each has to be found
// by its rule and by no other.
func TestPredict(t *testing.T) {
	t.Parallel()
	keep := strings.Replace(plainSecret, "{name: mine%s}", "{name: mine, annotations: {helm.sh/resource-policy: keep}}", 1)
	hook := "apiVersion: v1\nkind: Secret\nmetadata: {name: mine%s, annotations: {helm.sh/hook: pre-install}}\n"
	for name, tc := range map[string]struct {
		from, to [][3]string
		rule     string
		object   string
		text     string
	}{
		"nothing": {nil, nil, "", "", ""},
		"selector": {
			nil,
			[][3]string{{
				"templates/deployment.yaml",
				"matchLabels: {{- include \"openbao.selectorLabels\" . | nindent 6 }}",
				"matchLabels:\n      app.kubernetes.io/instance: {{ .Release.Name }}",
			}},
			"selector", "Deployment/openbao", "spec.selector changes, which Kubernetes refuses",
		},
		"unseal key in a renamed Secret": {
			nil,
			[][3]string{{
				"templates/_helpers.tpl", `printf "%s-static-unseal"`,
				`printf "%s-unseal"`,
			}},
			"secret-renamed", "Secret/openbao-unseal", "in place of Secret openbao-static-unseal",
		},
		"unseal key generated again": {
			nil,
			[][3]string{{
				"templates/secret-static-unseal.yaml",
				`{{- if and (include "openbao.cluster" .) (not (lookup "v1" "Secret" .Release.Namespace $name)) }}`,
				"{{- if true }}",
			}},
			"secret-value", "Secret/openbao-static-unseal", "generates its key key again",
		},
		"a Secret is deleted": {
			[][3]string{object("s", strings.ReplaceAll(plainSecret, "%s", ""))},
			nil,
			"secret-lost", "Secret/mine", "the upgrade deletes it",
		},
		"a Secret is renamed": {
			[][3]string{object("s", strings.ReplaceAll(plainSecret, "%s", ""))},
			[][3]string{object("s", strings.ReplaceAll(plainSecret, "%s", "-2"))},
			"secret-lost", "Secret/mine", "the upgrade deletes it",
		},
		"a Secret is kept":      {[][3]string{object("s", keep)}, nil, "", "", ""},
		"a hook's Secret stays": {[][3]string{object("s", strings.ReplaceAll(hook, "%s", ""))}, nil, "", "", ""},
		"a key is lost": {
			[][3]string{object("s", strings.ReplaceAll(plainSecret, "%s", ""))},
			[][3]string{object("s", strings.NewReplacer("%s", "", ", other: def", "").Replace(plainSecret))},
			"secret-key", "Secret/mine", "removes its key other",
		},
		"the type of a Secret": {
			[][3]string{object("s", strings.ReplaceAll(plainSecret, "%s", ""))},
			[][3]string{object("s", strings.ReplaceAll(plainSecret, "%s", "")+"type: example.com/token\n")},
			"immutable", "Secret/mine", "type changes",
		},
		"a claim is renamed": {
			[][3]string{object("c", strings.ReplaceAll(claim, "%s", ""))},
			[][3]string{object("c", strings.ReplaceAll(claim, "%s", "-2"))},
			"claim-lost", "PersistentVolumeClaim/data", "its volume with it",
		},
		"a claim template is renamed": {
			[][3]string{object("c", strings.ReplaceAll(set, "%s", "a"))},
			[][3]string{object("c", strings.ReplaceAll(set, "%s", "b"))},
			"claim-lost", "StatefulSet/side", "spec.volumeClaimTemplates changes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edge := upgrade.Edge{
				From: upgrade.Stop{Name: "old", Chart: copied(t, tc.from...)},
				To:   upgrade.Stop{Name: "new", Chart: copied(t, tc.to...)},
			}
			outcomes, err := upgrade.Outcomes([]upgrade.Edge{edge}, setting(t), nil)
			require.NoError(t, err)
			require.Len(t, outcomes, 1)
			var errors []upgrade.Finding
			for _, f := range outcomes[0].Predicted.Findings {
				if f.Severity == upgrade.Error {
					errors = append(errors, f)
				}
			}
			r := upgrade.Report{Edges: outcomes}
			r.Conclude()
			if tc.rule == "" {
				require.Empty(t, errors)
				require.Equal(t, result.Pass, r.Verdict)
				return
			}
			require.Len(t, errors, 1, "%v", errors)
			require.Equal(t, [2]string{tc.rule, tc.object}, [2]string{errors[0].Rule, errors[0].Object})
			require.Contains(t, errors[0].Text, tc.text)
			require.Equal(t, result.Fail, r.Verdict)
			require.Contains(t, outcomes[0].Reasons[0], "predicted "+tc.rule)
		})
	}
}

// TestPredictTheReleaseBefore: the reference chart can be upgraded from its last release, which
// restarts its pods.
func TestPredictTheReleaseBefore(t *testing.T) {
	t.Parallel()
	edge := upgrade.Edge{From: upgrade.Stop{Name: "0.1.0", Chart: load(t, released)}, To: upgrade.Stop{
		Name:  "head",
		Chart: load(t, reference),
	}}
	predicted, err := upgrade.Predict(edge, setting(t))
	require.NoError(t, err)
	require.Equal(t, "Recreate", predicted.Strategy)
	require.Greater(t, predicted.Objects, 5)

	edge.To.Values = map[string]any{"onlyHere": 1}
	_, err = upgrade.Predict(edge, setting(t))
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "upgrade 0.1.0 -> head: head: ")
	require.ErrorContains(t, err, "onlyHere")
}

// TestPairs: each pair in each direction once, those that a cluster can have as one walk.
func TestPairs(t *testing.T) {
	t.Parallel()
	for _, tc := range [][2]int{{0, 0}, {1, 0}, {2, 0}, {2, 2}, {3, 1}, {8, 4}, {9, 0}} {
		stops := make([]upgrade.Stop, tc[0])
		for i := range stops {
			stops[i].Name = strconv.Itoa(i)
			if i%2 == 1 && i/2 < tc[1] {
				stops[i].Unfit = "it needs more"
			}
		}
		seen := map[string]bool{}
		at, walking := "", true
		for _, e := range upgrade.Pairs(stops) {
			require.NotEqual(t, e.From.Name, e.To.Name)
			seen[e.String()] = true
			if e.From.Unfit != "" || e.To.Unfit != "" {
				walking = false
				continue
			}
			require.True(t, walking, "what a cluster can have comes first")
			require.True(t, at == "" || at == e.From.Name, "%s does not begin at %s", e, at)
			at = e.To.Name
		}
		require.Len(t, seen, max(0, tc[0]*(tc[0]-1)))
	}
}

// TestPredictAnotherImage: another image of OpenBao replaces the pods of the same chart.
func TestPredictAnotherImage(t *testing.T) {
	t.Parallel()
	head := load(t, reference)
	edge := upgrade.Edge{From: upgrade.Stop{Name: "head", Chart: head}, To: upgrade.Stop{Name: "head", Chart: head}}
	for image, strategy := range map[string]string{"": "", "r/openbao:2.6.2": "Recreate"} {
		edge.To.Image = image
		predicted, err := upgrade.Predict(edge, setting(t))
		require.NoError(t, err)
		require.Equal(t, strategy, predicted.Strategy, image)
	}
}

func TestCheckImages(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from, to string
		refused  bool
	}{
		"later":        {"r/openbao:2.4.0", "r/openbao:2.5.1", false},
		"same":         {"r/openbao:2.4.0", "r/openbao:2.4.0", false},
		"older":        {"r/openbao:v2.10.0", "other:5000/openbao:2.9.0", true},
		"a digest":     {"r/openbao:2.5.0", "r/openbao@sha256:00", false},
		"not a number": {"r/openbao:2.5.0", "r/openbao:latest", false},
		"none":         {"", "", false},
	} {
		err := upgrade.Edge{From: upgrade.Stop{Image: tc.from}, To: upgrade.Stop{Image: tc.to}}.CheckImages()
		require.Equal(t, tc.refused, err != nil, name)
		if tc.refused {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			require.ErrorContains(t, err, "is older than the data")
		}
	}
}

// TestFiles: values that need what a test cluster does not have are predicted only.
func TestFiles(t *testing.T) {
	t.Parallel()
	files, err := upgrade.Files("head", load(t, reference), "")
	require.NoError(t, err)
	unfit := map[string]string{}
	for _, stop := range files {
		why, err := setting(t).Unfit(stop)
		require.NoError(t, err)
		unfit[stop.Name] = why
	}
	require.Empty(t, unfit["head cloud-native"])
	require.Empty(t, unfit["head networkpolicy"])
	require.Contains(t, unfit["head gateway"], "HTTPRoute")
	require.Contains(t, unfit["head monitoring"], "monitoring.coreos.com/v1")
	require.Contains(t, unfit["head tls"], "which someone else makes")
	require.Contains(t, unfit["head rolling"], "a node of its own")
	_, err = upgrade.Files("head", load(t, "../../charts/gitlab-stub"), "")
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}

// TestRollsBack: a chart says in its annotations to which releases it can be rolled back.
func TestRollsBack(t *testing.T) {
	t.Parallel()
	edge := upgrade.Edge{From: upgrade.Stop{Chart: load(t, released)}, To: upgrade.Stop{Chart: load(t, reference)}}
	for annotation, want := range map[string]bool{"": false, ">=0.1.0": true, ">=0.1.5": false} {
		edit := [3]string{"Chart.yaml", `steamer/rollback: ">=0.1.0"`, "steamer/rollback: '" + annotation + "'"}
		edge.To.Chart = copied(t, edit)
		can, err := edge.RollsBack()
		require.NoError(t, err)
		require.Equal(t, want, can, annotation)
	}
	edge.To.Chart = copied(t, [3]string{"Chart.yaml", `steamer/rollback: ">=0.1.0"`, "steamer/rollback: two"})
	_, err := edge.RollsBack()
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}

// TestLeastOutage: with strategy Recreate the new pods' probes are a lower bound of the outage.
func TestLeastOutage(t *testing.T) {
	t.Parallel()
	probe := func(name string, fields map[string]any) map[string]any { return map[string]any{name: fields} }
	for name, tc := range map[string]struct {
		values map[string]any
		want   float64
	}{
		"the chart's own": {nil, 0},
		"a late readiness probe": {
			probe("readinessProbe", map[string]any{"initialDelaySeconds": 45}), 44,
		},
		"late, and soon enough": {
			probe("readinessProbe", map[string]any{"initialDelaySeconds": 10}), 9,
		},
		"a late startup probe": {probe("startupProbe", map[string]any{"initialDelaySeconds": 20}), 19},
		"several successes": {
			probe("readinessProbe", map[string]any{"initialDelaySeconds": 5, "successThreshold": 3, "periodSeconds": 6}), 16,
		},
		"pods one by one": {map[string]any{
			"readinessProbe": map[string]any{"initialDelaySeconds": 45}, "strategy": map[string]any{"type": "RollingUpdate"},
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edge := upgrade.Edge{
				From: upgrade.Stop{Name: "0.1.0", Chart: load(t, released)},
				To:   upgrade.Stop{Name: "head", Chart: load(t, reference), Values: tc.values},
			}
			in := setting(t)
			in.Outages = []judge.Outage{
				{Change: judge.OutageConfig, Longest: 1}, {Change: judge.OutageUpgrade, Longest: 10, PerNamespace: 100},
			}
			in.Namespaces = 50 // 15 s in all
			var done []int
			outcomes, err := upgrade.Outcomes([]upgrade.Edge{edge}, in, func(n int) { done = append(done, n) })
			require.NoError(t, err)
			require.Equal(t, []int{1}, done)
			require.InDelta(t, tc.want, outcomes[0].Predicted.LeastOutage, 1e-9)
			if tc.want < 15 {
				require.Empty(t, outcomes[0].Reasons)
				return
			}
			require.Len(t, outcomes[0].Reasons, 1)
			require.Contains(t, outcomes[0].Reasons[0], fmt.Sprintf(
				"predicted outage: Deployment/openbao: no fetch can work for %.0f s", tc.want))
			require.Contains(t, outcomes[0].Reasons[0], "the outage budget of change upgrade is 15.0 s")
			require.Equal(t, result.Fail, outcomes[0].Verdict)
		})
	}
	late := map[string]any{"readinessProbe": map[string]any{"initialDelaySeconds": 45}}
	second := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a-second}\nspec:\n" +
		"  selector: {matchLabels: {a: b}}\n  template:\n    metadata:\n      labels:\n" +
		"        a: %s\n        {{- include \"openbao.selectorLabels\" . | nindent 8 }}\n    spec: {containers: []}\n"
	for name, tc := range map[string]struct {
		edit  [3]string
		least float64
	}{
		"a Service that publishes unready pods": {[3]string{
			"templates/services.yaml", "  type: {{ $service.type }}",
			"  publishNotReadyAddresses: true\n  type: {{ $service.type }}",
		}, 0},
		"another workload that may go on": {object("second", strings.Replace(second, "%s", "b", 1)), 0},
		"another workload beside the server": {
			object("side", strings.ReplaceAll(set, "%s", "a")), 44,
		},
	} {
		predicted, err := upgrade.Predict(upgrade.Edge{
			From: upgrade.Stop{Name: "0.1.0", Chart: load(t, released)},
			To:   upgrade.Stop{Name: "head", Chart: copied(t, tc.edit), Values: late},
		}, setting(t))
		require.NoError(t, err, name)
		require.InDelta(t, tc.least, predicted.LeastOutage, 1e-9, name)
		require.Equal(t, "Recreate", predicted.Strategy, name)
	}
}
