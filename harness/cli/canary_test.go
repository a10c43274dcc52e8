package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"go/ast"
	"html"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gitlab.com/steamer/steamer/harness/calibrate"
	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/capacity"
	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/faults/deadlines"
	"gitlab.com/steamer/steamer/harness/faults/protocol"
	"gitlab.com/steamer/steamer/harness/faults/record"
	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/sizing"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/harness/trend"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

// The canaries, each in a place of its own. Their characters are escaped differently by every
// format.
const (
	inSet    = `kanari"set<1>/+=&é`
	inValues = `kanari"values<2>/+=&é`
	inSecret = `kanari"secret<3>/+=&é`
	inAudit  = "kanari-audit-token-4"
	inURL    = "kanari5inURL"
)

// plant has the process meet the canaries the way it does in a run, and returns the arguments of
// that run.
func plant(t *testing.T) []string {
	t.Helper()
	assignment := "postgresql.auth.password=" + inSet
	_, err := chart.ReadOverrides(nil, []string{assignment})
	require.NoError(t, err)
	values := filepath.Join(t.TempDir(), "values.yaml")
	text, err := json.Marshal(map[string]any{
		"audit": map[string]any{"authToken": inValues},
		"extra": []any{map[string]any{"url": "postgres://u:" + inURL + "@h/d"}},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(values, text, 0o600))
	_, err = chart.ReadValues(values)
	require.NoError(t, err)
	secret.LearnSecret(map[string][]byte{"connection": []byte(inSecret)})
	args := []string{
		"run", "--set", assignment, "--set=a.b=c,x.token=" + inAudit, "--values", values, "--audit-token", inAudit,
		"--repo", "https://u:" + inURL + "@charts.example/x",
	}
	secret.LearnArguments(args)
	return args
}

// forms are a canary as it could leave: in any of these, or with another text before it in base64.
func forms(canary string) []string {
	quoted, _ := json.Marshal(canary)
	return []string{
		canary, url.QueryEscape(canary), url.PathEscape(canary), html.EscapeString(canary), strings.Trim(string(quoted), `"`),
		base64.StdEncoding.EncodeToString([]byte(canary)), base64.StdEncoding.EncodeToString([]byte("xy" + canary + "z")),
	}
}

// poison is a text with every canary in every form, such as an error of Helm that quotes what it
// rendered.
func poison() string {
	var all []string
	for _, canary := range []string{inSet, inValues, inSecret, inAudit, inURL} {
		all = append(all, forms(canary)...)
	}
	return strings.Join(all, " | ") + " end of poison"
}

// requireClean fails where any part of a canary is left.
func requireClean(t *testing.T, name string, data []byte) {
	t.Helper()
	for _, trace := range []string{
		"kanari", "KANARI", base64.StdEncoding.EncodeToString([]byte("kanari"))[:7],
		base64.StdEncoding.EncodeToString([]byte("xykanari"))[4:9],
	} {
		if i := bytes.Index(data, []byte(trace)); i >= 0 {
			require.Fail(t, "a canary is left", "in %s: …%s…", name, data[max(0, i-40):min(len(data), i+80)])
		}
	}
}

// poisoned puts poison into all texts of a document that come from outside, however deep.
func poisoned(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			poisoned(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			poisoned(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field, name := v.Field(i), v.Type().Field(i).Name
			foreign := slices.Contains([]string{
				"Reason", "Reasons", "Error", "Log", "Detail", "Description", "Explains", "Partial", "NotMeasured", "Target",
				"About", "Engine", "Title",
				"Measured", "Message", "Hint", "Apart", "Since", "Base", "Head", "Summary",
			}, name)
			switch {
			case foreign && field.Kind() == reflect.String:
				field.SetString(poison())
			case foreign && field.Type() == reflect.TypeFor[[]string]():
				field.Set(reflect.ValueOf([]string{poison()}))
			case field.CanSet():
				poisoned(field)
			}
		}
	}
}

// writers run what writes files, by the source file that does; each is given an empty directory.
func writers(line string) map[string]func(t *testing.T, dir string) {
	sample := func(t *testing.T) *result.Result {
		r, err := result.ReadFile("../result/testdata/run-v1.json")
		require.NoError(t, err)
		poisoned(reflect.ValueOf(r))
		r.Run.Reproduce = line
		r.Steps = append(r.Steps, result.Step{Name: "install", Started: r.Run.Started, Error: poison()})
		return r
	}
	comparisons := func(t *testing.T) []*compare.Comparison {
		list, err := calibrate.Read("../calibrate/testdata/campaign-quiet.json")
		require.NoError(t, err)
		for _, c := range list {
			c.Reproduce = line
			c.A.Description, c.Reasons, c.NotMeasured = poison(), []string{poison()}, []string{poison()}
		}
		return list
	}
	outcomes := []mutation.Outcome{{
		Mutant: mutation.Mutant{ID: "a", Kind: mutation.Chart, Breaks: poison()},
		Status: mutation.Broken, Reason: poison(),
	}}
	return map[string]func(t *testing.T, dir string){
		"result/codec.go": func(t *testing.T, dir string) {
			path := filepath.Join(dir, "result.json")
			require.NoError(t, result.WriteFile(path, sample(t)))
			_, err := result.ReadFile(path)
			require.NoError(t, err, "it stays a result")
		},
		"document/write.go": func(t *testing.T, dir string) {
			require.NoError(t, document.WriteFile(filepath.Join(dir, "any.txt"), []byte(poison())))
		},
		"report/internal/render/file.go run": func(t *testing.T, dir string) {
			require.NoError(t,
				report.WriteAll(dir, sample(t)))
		},
		"report/internal/render/file.go decision": func(t *testing.T, dir string) {
			d := &gate.Decision{
				APIVersion: gate.APIVersion, Kind: gate.Kind, Verdict: result.Fail, Reproduce: line, Reasons: []string{""},
				Evidence: []gate.File{{Path: "result.json"}}, Compared: []gate.Compared{{Verdict: result.Fail}},
				Criteria: []gate.Criterion{{ID: gate.Load, Verdict: result.Fail, Reasons: []string{""}}},
				Runs:     []gate.Judged{{Recorded: result.Pass, Derived: result.Fail}},
			}
			poisoned(reflect.ValueOf(d))
			require.NoError(t, report.WriteDecision(dir, d))
		},
		"report/internal/render/file.go page": func(t *testing.T, dir string) {
			c := &gate.Compared{Verdict: result.Fail, Reproduce: line}
			poisoned(reflect.ValueOf(c))
			require.NoError(t, report.WriteComparisonPage(dir, c, nil))
		},
		"report/internal/render/file.go comparison": func(t *testing.T, dir string) {
			require.NoError(t, report.WriteComparison(dir, comparisons(t)[0]))
		},
		"history/check/codec.go": func(t *testing.T, dir string) {
			r := &check.Report{Record: result.NewRecord(check.Kind)}
			poisoned(reflect.ValueOf(r))
			r.APIVersion, r.Kind, r.Reproduce = result.APIVersion, check.Kind, line
			r.Violations = []check.Violation{{Rule: "S2", What: poison(), Steps: []check.Step{{Text: poison()}}}}
			require.NoError(t, pages.WriteFaults(dir, r))
		},
		"report/internal/render/file.go protocol": func(t *testing.T, dir string) {
			r := &protocol.Report{
				Record: result.Record{APIVersion: result.APIVersion, Kind: protocol.Kind, Reproduce: line},
				Rows: []protocol.Row{{
					Outcome: protocol.NotJudged, Reason: poison(), Attempts: []protocol.Attempt{{Message: poison()}},
				}},
			}
			r.Smallest = r.Rows
			require.NoError(t, pages.WriteProtocol(dir, r))
		},
		"report/internal/render/file.go record": func(t *testing.T, dir string) {
			r := &record.Report{Record: result.NewRecord(record.Kind), Rows: []record.Row{{
				Title: poison(), Reason: poison(), Proof: []string{poison()}, Tries: 2, Found: 1, Undecided: 1,
			}}}
			r.Reproduce = line
			require.NoError(t, pages.WriteTrackRecord(dir, r))
			require.NoError(t, pages.WriteTrackRecordPage(filepath.Join(dir, "page.md"), []*record.Report{r}))
		},
		"faults/deadlines/deadlines.go": func(t *testing.T, dir string) {
			r := &deadlines.Report{Record: result.NewRecord(deadlines.Kind), Rows: []deadlines.Row{{Note: poison()}}}
			poisoned(reflect.ValueOf(r))
			r.APIVersion, r.Kind, r.Reproduce = result.APIVersion, deadlines.Kind, line
			require.NoError(t, deadlines.WriteFile(filepath.Join(dir, "deadlines.json"), r))
		},
		"faults/schedule.go": func(t *testing.T, dir string) {
			s, err := faults.Draw(1, 1, nil)
			require.NoError(t, err)
			s.Reproduce = poison()
			require.NoError(t, s.WriteFile(filepath.Join(dir, "schedule.json")))
		},
		"compare/codec.go": func(t *testing.T, dir string) {
			require.NoError(t, compare.WriteFile(filepath.Join(dir, compare.JSONFile), comparisons(t)[0]))
		},
		"report/pages/calibration.go": func(t *testing.T, dir string) {
			require.NoError(t, pages.WriteCalibration(dir, calibrate.Judge(comparisons(t)), comparisons(t)))
		},
		"gate/collect.go": func(t *testing.T, dir string) {
			work := gate.Work{Dir: dir, Mutants: func(context.Context) ([]mutation.Outcome, *mutation.Sample, error) {
				return outcomes, nil, nil
			}}
			_, err := work.Collect(t.Context())
			require.NoError(t, err)
		},
		"report/internal/render/file.go capacity": func(t *testing.T, dir string) {
			r := &capacity.Report{
				Points: []capacity.Point{{Rate: 1, P50: 1, P95: 1, P99: 1}, {Rate: 2, P50: 1, P95: 2, P99: 3}},
				Record: result.Record{Reproduce: line, Target: poison(), Reasons: []string{poison()}},
			}
			_, err := pages.WriteCapacity(dir, r)
			require.NoError(t, err)
		},
		"report/internal/render/file.go upgrade": func(t *testing.T, dir string) {
			require.NoError(t, pages.WriteUpgrade(dir, &upgrade.Report{Reproduce: line, Edges: []upgrade.Outcome{
				{From: poison(), To: "head", Reasons: []string{poison()}, Skipped: poison()},
			}}))
		},
		"report/internal/render/file.go trends": func(t *testing.T, dir string) {
			s := trend.Series{Metric: "p50", Unit: "ms", Title: poison(), Points: []trend.Point{
				{At: time.Unix(0, 0), Value: 1},
				{At: time.Unix(9, 0), Value: 2},
			}}
			require.NoError(t, pages.WriteTrends(dir, "svg", []trend.Series{s}))
			require.NoError(t, pages.WriteTrends(dir, "png", []trend.Series{s}))
		},
		"topology/diagnose.go": func(t *testing.T, dir string) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
				Name: "p", Namespace: "steamer-cn",
				Annotations: map[string]string{"a": poison()},
			}}
			e := &topology.Environment{
				Spec: topology.Spec{Topology: topology.CloudNative}, Namespace: "steamer-cn",
				Cluster: &cluster.Cluster{Client: fake.NewClientset(pod)},
			}
			require.NoError(t, e.Diagnose(t.Context(), dir, func(text string) string { return text }))
		},
		"lint/baseline.go": func(t *testing.T, dir string) {
			finding := lint.Finding{Rule: "x", Severity: lint.Error, Object: poison(), Path: poison(), Message: poison()}
			b := lint.NewBaseline(&lint.Report{Findings: []lint.Finding{finding}}, lint.Acceptance{
				Reason: poison(),
				Owner:  poison(),
			})
			require.NoError(t, b.Write(filepath.Join(dir, "baseline.yaml"), false))
		},
		"report/internal/render/file.go sizing": func(t *testing.T, dir string) {
			require.NoError(t, pages.WriteSizing(dir, &sizing.Report{
				Record: result.Record{Reproduce: line, Target: poison()},
			}))
		},
		"report/internal/render/file.go findings": func(t *testing.T, dir string) {
			require.NoError(t, pages.WriteFindings(dir, findings.NewReport(line, poison())))
		},
		"campaign/experiments.go": func(t *testing.T, dir string) {
			f := campaign.Findings{Markdown: filepath.Join(dir, "findings.md")}
			require.NoError(t, f.Write(&State{Stdout: secret.Writer{To: openIn(t, dir)}}, findings.NewReport(line, poison()),
				""))
		},
		"campaign/mutants.go": func(t *testing.T, dir string) {
			f := campaign.Mutants{JSON: filepath.Join(dir, "m.json"), Markdown: filepath.Join(dir, "m.md")}
			require.NoError(t, f.Write(outcomes))
		},
		"campaign/calibrate.go": func(t *testing.T, dir string) {
			f := campaign.Calibration{WriteQuarantine: filepath.Join(dir, "q.yaml"), QuarantineFor: time.Hour}
			_, err := f.Judge(&State{Stdout: secret.Writer{To: openIn(t, dir)}}, "../calibrate/testdata/campaign-quiet.json")
			require.NoError(t, err)
		},
		"cli/check.go": func(t *testing.T, dir string) {
			for _, format := range []string{"json", "junit", "table", "sarif", "codequality"} {
				r := &lint.Report{Findings: []lint.Finding{{Rule: "x", Severity: lint.Error, Message: poison(), Hint: poison()}}}
				f := checkFlags{format: format, output: filepath.Join(dir, "check."+format)}
				require.NoError(t, f.report(&State{}, r))
			}
		},
	}
}

// plots reports whether a source file draws with gonum, whose plots can save themselves.
func plots(file *ast.File) bool {
	return slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"gonum.org/v1/plot"` })
}

func openIn(t *testing.T, dir string) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "stdout"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	return file
}

// TestCanaries: no canary is in anything that the real writers write.
func TestCanaries(t *testing.T) {
	t.Parallel()
	line := (&State{Args: plant(t)}).CommandLine()
	requireClean(t, "command line", []byte(line))
	require.Contains(t, line, "postgresql.auth.password="+secret.Withheld)
	require.Contains(t, line, "a.b=c,x.token="+secret.Withheld)
	require.Contains(t, line, "charts.example/x")
	for name, write := range writers(line) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir)
			written, telling := 0, false
			require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				data, err := os.ReadFile(path)
				written++
				telling = telling || filepath.Ext(path) == ".png" || bytes.Contains(data, []byte("end of poison")) ||
					bytes.Contains(data, []byte(secret.Redacted))
				requireClean(t, path, data)
				return err
			}))
			require.Positive(t, written)
			require.True(t, telling || name == "campaign/calibrate.go" || name == "trend/files.go",
				"the poison reached the file, and was cleaned there")
		})
	}
}

// TestCanariesOfProgress: neither progress nor messages hold one, wherever an error comes from.
func TestCanariesOfProgress(t *testing.T) {
	t.Parallel()
	plant(t)
	var out bytes.Buffer
	ui := &steps.Text{W: secret.Writer{To: &out}, Terminal: true}
	ui.Start("cloud-native", "install")
	ui.Note(poison())
	ui.Work(poison(), 1)
	ui.Done("cloud-native", "install", time.Second, exit.Environmentf("helm", poison(), "%s", poison()))
	ui.Scenario("cloud-native", result.Scenario{ID: "a/b", Status: result.Failed, Reason: poison()})
	var k6 load.Tail
	_, _ = k6.Write([]byte(poison() + "\n"))
	ui.Note(k6.String())
	require.Contains(t, out.String(), "end of poison")
	requireClean(t, "progress", out.Bytes())

	var stdout, stderr bytes.Buffer
	code := Main(t.Context(), &State{
		Args: append(plant(t), "--no-such-flag="+inSet), Stdout: &stdout, Stderr: &stderr,
		Getenv: os.Getenv,
	})
	require.Equal(t, exit.Invalid, code)
	requireClean(t, "messages", append(stdout.Bytes(), stderr.Bytes()...))
}
