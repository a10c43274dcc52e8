package pages

import (
	"bytes"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/calibrate"
	"gitlab.com/steamer/steamer/harness/capacity"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/sizing"
)

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(data)
}

// coloursOf are those of a picture.
func coloursOf(t *testing.T, dir, name string) map[color.Color]bool {
	t.Helper()
	picture, err := png.Decode(strings.NewReader(read(t, dir, name)))
	require.NoError(t, err)
	require.Greater(t, picture.Bounds().Dx(), 500)
	colours := map[color.Color]bool{}
	for x := range picture.Bounds().Dx() {
		for y := range picture.Bounds().Dy() {
			colours[color.RGBAModel.Convert(picture.At(x, y))] = true
		}
	}
	return colours
}

// TestCapacity draws both pictures, also of a curve with a latency of 0, and none of one rate.
func TestCapacity(t *testing.T) {
	t.Parallel()
	others := 0.5
	point := capacity.Point{Rate: 100, P50: 1, P95: 2, P99: 3, Outcome: capacity.Held, Phase: "search", Others: &others}
	r := &capacity.Report{
		Record: result.Record{
			Target: "a chart", Verdict: result.Pass, Reasons: []string{"capacity 100/s"}, NotMeasured: []string{"a network"},
			Reproduce: "steamer capacity",
		},
		Held: 100, Broken: 200, Confirmed: true,
		HoldsLower: 0.37, Knee: 90, Confirmations: []capacity.Point{point, point, point}, SaturatedAt: 200, Mode: "inline",
		Points: []capacity.Point{point, {Rate: 200, P50: 9, P95: 80, P99: 90, Reason: "p95 | missed"}, {Rate: 1}},
		Saturated: []capacity.Suspect{
			{Resource: "OpenBao's CPU", Use: 0.97, Saturated: true, Evidence: "0.97 of its limit of 1 cores"},
		},
	}
	dir := t.TempDir()
	markdown, err := WriteCapacity(dir, r)
	require.NoError(t, err)
	require.Equal(t, markdown, read(t, dir, "capacity.md"))
	for _, want := range []string{
		"# Capacity of a chart: PASS", "**100/s**, at which all 3 confirmations held", "at least 37 % of such runs",
		"(capacity.png)", "| OpenBao's CPU | 97 % | **yes** |", `p95 \| missed`, "Not measured: a network.",
		"Reproduce: `steamer capacity`",
	} {
		require.Contains(t, markdown, want)
	}
	require.Contains(t, read(t, dir, "capacity.svg"), "offered fetches per second")
	colours := coloursOf(t, dir, "capacity.png")
	require.True(t, colours[render.Blue] && colours[render.Orange], "latency and PostgreSQL are drawn")
	require.Contains(t, read(t, dir, "capacity.json"), `"held": 100`)

	r.Points, r.Partial, r.Saturated[0].Saturated = r.Points[:1], true, false
	dir = t.TempDir()
	markdown, err = WriteCapacity(dir, r)
	require.NoError(t, err)
	require.Contains(t, markdown, "**partial**")
	require.Contains(t, markdown, "what limits is a wait")
	require.NoFileExists(t, filepath.Join(dir, "capacity.png"))
	_, err = WriteCapacity(filepath.Join(dir, "absent"), r)
	require.Equal(t, exit.Environment, exit.CodeOf(err))
}

func TestSizing(t *testing.T) {
	t.Parallel()
	r := &sizing.Report{
		Record: result.Record{Target: "a chart", Verdict: result.Pass, Partial: true},
		Steps: []sizing.Step{{
			Tenants: 50, Namespaces: 60, Secrets: 100, MemoryMiB: 120, Startup: 1, SeedLimit: "the host's CPUs", SeedCalls: 30,
		}},
		Beyond: []sizing.Step{{Tenants: 1000, Namespaces: 1200, Extrapolated: true}},
		Claims: []sizing.Claim{{Title: "memory", Published: "1 GB and 1 MB per namespace, or less", Verdict: result.Pass}},
	}
	dir := t.TempDir()
	require.NoError(t, WriteSizing(dir, r))
	for _, want := range []string{
		"| 50 | 60 | 100 | 120 MiB (1011 MiB) | – | 1.0 s (5.7 s) |", "| 1000 (extrapolated) | 1200 | 0 | – | – |",
		"**partial**",
		"1 GB and 1 MB per namespace", "What limited it at 50 tenants: the host's CPUs.",
	} {
		require.Contains(t, read(t, dir, "sizing.md"), want)
	}
	require.Contains(t, read(t, dir, "sizing.json"), `"tenants": 50`)
}

// experiment has a base of about 100 fetches a second and one other arm.
func experiment(other ...float64) *findings.Outcome {
	o := &findings.Outcome{Experiment: findings.Experiment{ID: "x", Title: "X", Rounds: 6}, OpenBao: "2.4.0", Seconds: 90}
	for i, values := range [][]float64{{100, 110, 90, 105, 95, 100}, other} {
		arm := findings.ArmOutcome{Arm: findings.Arm{Name: []string{"a", "b"}[i], Change: []string{"", "do it"}[i]}}
		for round, v := range values {
			arm.Slices = append(arm.Slices, findings.Slice{
				Round: round, Throughput: v, OpenBao: 1 + 0.01*float64((round+i)%2), PostgreSQL: 1, P95: 1, Opened: 1,
			})
		}
		o.Arms = append(o.Arms, arm)
	}
	return o
}

func TestFindings(t *testing.T) {
	t.Parallel()
	r := findings.NewReport("steamer findings", "2 CPUs")
	r.Add(experiment(200, 215, 185, 211, 189, 202))
	r.Add(experiment(101, 108, 92, 104, 96, 99))
	under := experiment(50, 56, 44, 52, 47, 51)
	under.Experiment.RotateEvery = document.Duration(2 * time.Second)
	under.Experiment.NotMeasured = []string{"a network"}
	r.Add(under)
	r.Finish()
	dir := t.TempDir()
	require.NoError(t, WriteFindings(dir, r))
	page := read(t, dir, "findings.md")
	require.Equal(t, Findings(r), page)
	for _, text := range []string{
		"| do it | 2.0", "**yes**", "no effect shown", "), while the key is rotated every 2s | ", "no: it costs throughput",
		", while the key is rotated every 2s; 6 rounds", "OpenBao 2.4.0", "Not measured: a network.", "Outcome: **PASS**",
	} {
		require.Contains(t, page, text)
	}
	joined, err := findings.Join([]string{dir})
	require.NoError(t, err, "what is written can be read")
	require.Len(t, joined.Outcomes, 1)
}

func TestMutants(t *testing.T) {
	t.Parallel()
	page := Mutants([]mutation.Outcome{
		{Mutant: mutation.Mutant{ID: "a", Breaks: "a | b"}, Status: mutation.Killed, By: "x/one", Seconds: 2},
		{Mutant: mutation.Mutant{ID: "b"}, Status: mutation.Broken, Reason: "no server"},
	})
	require.Contains(t, page, "2 mutants: 1 killed, 0 survived, 0 explained, 1 broken")
	require.Contains(t, page, `a \| b`)
	require.Less(t, strings.Index(page, "no server"), strings.Index(page, "`x/one`"), "what needs work comes first")
}

// TestCalibration draws comparisons by what they concluded.
func TestCalibration(t *testing.T) {
	t.Parallel()
	list, err := calibrate.Read("../../calibrate/testdata/campaign-quiet.json")
	require.NoError(t, err)
	verdicts := map[result.Verdict]bool{}
	for _, c := range list {
		verdicts[c.Verdict] = true
	}
	c := calibrate.Judge(list)
	dir := t.TempDir()
	require.NoError(t, WriteCalibration(dir, c, list))
	colours := coloursOf(t, dir, "calibration.png")
	require.Equal(t, verdicts[result.Pass], colours[render.Green])
	require.Equal(t, verdicts[result.Fail], colours[render.Red])
	again, err := calibrate.Read(filepath.Join(dir, calibrate.CampaignFile))
	require.NoError(t, err)
	require.Len(t, again, len(list))
	require.Contains(t, read(t, dir, calibrate.File), `"kind": "Calibration"`)
	var text bytes.Buffer
	require.NoError(t, Calibration(&text, c))
	for _, want := range []string{"false alarms, the system with itself", "SD of a pair", "fetch_p50_ms"} {
		require.Contains(t, text.String(), want)
	}

	dir = t.TempDir()
	require.NoError(t, WriteCalibration(dir, c, []*compare.Comparison{{Design: compare.DefaultDesign()}}))
	require.NoFileExists(t, filepath.Join(dir, "calibration.png"), "nothing to draw")
}
