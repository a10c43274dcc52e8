package compare

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	whole, err := Encode(made(rand.New(rand.NewPCG(1, 1)), 6, 1, 0.05))
	require.NoError(t, err)
	for name, c := range map[string]struct{ data, want string }{
		"empty":            {"", "not a complete JSON document"},
		"truncated":        {string(whole[:len(whole)/2]), "not a complete JSON document"},
		"another version":  {strings.Replace(string(whole), "steamer/v1", "steamer/v2", 1), `apiVersion "steamer/v2"`},
		"a run's result":   {strings.Replace(string(whole), `"Comparison"`, `"Result"`, 1), `kind "Result"`},
		"an unknown field": {strings.Replace(string(whole), `"id":`, `"odd": 1, "id":`, 1), "odd"},
		"a made-up metric": {strings.Replace(string(whole), `"fetch_p50_ms":`, `"fetch_p51_ms":`, 1), "fetch_p51_ms"},
		"a negative value": {strings.Replace(string(whole), `"fetch_p50_ms": `, `"fetch_p50_ms": -`, 1), "fetch_p50_ms is -"},
		"fewer than none":  {strings.Replace(string(whole), `"failed": 0`, `"failed": -1`, 1), "a count is -1"},
		"an unknown order": {strings.Replace(string(whole), `"order": "AB"`, `"order": "AA"`, 1), `order "AA"`},
		"too many pairs":   {strings.Replace(string(whole), `"maxPairs": 40`, `"maxPairs": 4`, 1), "--pairs 4"},
		"no verdict": {strings.Replace(string(whole), `"verdict": "INCONCLUSIVE",`+"\n \"reasons\"",
			`"verdict": "GREEN",`+"\n \"reasons\"", 1), `unknown verdict "GREEN"`},
	} {
		_, err := Decode("file.json", []byte(c.data))
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, "file.json", name)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
	}
	_, err = ReadFile(filepath.Join(t.TempDir(), "none.json"))
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
}

func FuzzDecode(f *testing.F) {
	whole, err := Encode(made(rand.New(rand.NewPCG(1, 1)), 2, 1, 0.05))
	require.NoError(f, err)
	f.Add(whole)
	f.Add(whole[:100])
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Decode("fuzz", data)
		if err != nil {
			return
		}
		Judge(c, nil)
		_, err = Encode(c)
		require.NoError(t, err, "what was read can be judged and written")
	})
}

func TestDesign(t *testing.T) {
	t.Parallel()
	require.NoError(t, DefaultDesign().Check())
	for want, change := range map[string]func(*Design){
		"--pairs 7":         func(d *Design) { d.MaxPairs = 7 },
		"--pairs 4":         func(d *Design) { d.MaxPairs = 4 },
		"--interim-every 5": func(d *Design) { d.InterimEvery = 5 },
		"--alpha":           func(d *Design) { d.Alpha = 1 },
		"--slice 1s":        func(d *Design) { d.Slice = 1 },
		"--warmup":          func(d *Design) { d.Warmup = -1 },
		"--warmup 0.5s":     func(d *Design) { d.Warmup = 0.5 },
		"--rate 0":          func(d *Design) { d.Rate = 0 },
		"--tenants 0":       func(d *Design) { d.Tenants = 0 },
		"--mode x":          func(d *Design) { d.Mode = "x" },
		"--batch-tokens":    func(d *Design) { d.BatchTokens = true },
		// not every recipe has a role that says what it gives
		"--gate":                  func(d *Design) { d.GateMetrics = nil },
		"--gate odd":              func(d *Design) { d.GateMetrics = gates(0.1, "odd") },
		"--gate fetch_p50_ms":     func(d *Design) { d.GateMetrics = gates(0.1, "fetch_p50_ms", "fetch_p50_ms") },
		"--margin -1":             func(d *Design) { d.GateMetrics[0].Margin = -0.01 },
		"7 metrics are to decide": func(d *Design) { d.GateMetrics = gates(0.1, Recorded()[:7]...) },
	} {
		d := DefaultDesign()
		change(&d)
		err := d.Check()
		require.ErrorContains(t, err, want)
		require.Equal(t, exit.Invalid, exit.CodeOf(err))
	}
}

// TestBatchTokens: only the tokens change, and only where they are asked for.
func TestBatchTokens(t *testing.T) {
	t.Parallel()
	tokens := func(batch bool) []any {
		list, err := Design{Recipe: "two-level-jwt", BatchTokens: batch}.Recipes()
		require.NoError(t, err)
		require.Len(t, list, 1)
		var out []any
		for _, step := range list[0].Provision {
			if kind, ok := step.Body["token_type"]; ok {
				out = append(out, kind, step.Body["token_ttl"])
			}
		}
		return out
	}
	service, batch := tokens(false), tokens(true)
	require.Equal(t, "service", service[0], "as GitLab writes the role")
	require.Equal(t, []any{"batch", service[1]}, batch)
}
