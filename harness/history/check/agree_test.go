package check

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/historytest"
)

// disturb changes one thing of a history of one secret.
func disturb(h *historytest.History, rng *rand.Rand) {
	o := h.Ops[rng.IntN(len(h.Ops))]
	other := h.Ops[rng.IntN(len(h.Ops))]
	read := o.Kind == history.Read && o.Result != history.Unknown
	switch rng.IntN(6) {
	case 0:
		if o.Result == history.OK && o.Version > 0 && !o.Asked {
			o.Version = max(1, o.Version+rng.IntN(3)-1)
		}
	case 1:
		if read && o.Result == history.OK && other.Value != (history.Value{}) {
			o.Value = other.Value
		}
	case 2:
		if read && o.Version > 0 {
			o.Result = []history.Result{history.Deleted, history.Destroyed}[rng.IntN(2)]
			o.Value = history.Value{}
		}
	case 3:
		if read {
			o.Result, o.Value = history.Absent, history.Value{}
			if !o.Asked {
				o.Version = 0
			}
		}
	case 4:
		if o.Kind == history.Write && o.Result == history.OK {
			o.Result, o.Version = history.Failed, 0
		}
	case 5:
		if o.Kind != history.Read && o.Kind != history.Write && o.Result == history.OK {
			o.Result = history.Failed
		}
	}
}

// TestVersionsDecideAsASearchDoes holds the fast checker against a search for an order of all
// operations, on small histories in which something was changed at random: what it refuses has no
// order. What it accepts has one, but for fewer than one in a thousand: where one delete without an
// answer would have to have happened to two versions.
func TestVersionsDecideAsASearchDoes(t *testing.T) {
	t.Parallel()
	refused, accepted, missed := 0, 0, 0
	for seed := range uint64(6000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		h := historytest.Generate(historytest.Options{
			Seed: seed, Clients: 1 + rng.IntN(3), Keys: 1, Ops: 5 + rng.IntN(25), Keep: 2 + rng.IntN(8),
			Unknown: rng.Float64() * 0.1, Versions: rng.Float64() * 0.3, DeleteLatest: rng.Float64() * 0.2,
		})
		if len(h.Ops) == 0 {
			continue
		}
		for range rng.IntN(3) {
			disturb(h, rng)
		}
		r, err := history.NewReader("history", bytes.NewReader(h.Bytes()))
		require.NoError(t, err)
		report, err := History(r)
		require.NoError(t, err)
		want := searched(t, h)
		if want == porcupine.Unknown || len(report.Undecided) > 0 {
			continue
		}
		got := porcupine.Ok
		if len(report.Violations) > 0 {
			got = porcupine.Illegal
			refused++
		} else {
			accepted++
		}
		if got == porcupine.Ok && want == porcupine.Illegal {
			missed++
		} else if got != want {
			var text bytes.Buffer
			require.NoError(t, Text(&text, report))
			t.Errorf("seed %d: a search says %s\n%s\n%s", seed, want, &text, h.Bytes())
		}
	}
	require.Greater(t, refused, 1000)
	require.Greater(t, accepted, 1000)
	require.LessOrEqual(t, missed, refused/1000, "accepted without an order")
}

// searched orders all operations of a history of one secret.
func searched(t *testing.T, h *historytest.History) porcupine.CheckResult {
	p := &purged{checker: &checker{}, keep: h.Header.Versions}
	var list []porcupine.Operation
	for _, o := range h.Ops {
		if o.Result == history.Failed || o.Kind == history.Read && o.Result == history.Unknown {
			continue
		}
		require.Empty(t, o.Value.Foreign)
		rec := record{
			call: o.Call, ret: o.Return, version: int32(o.Version), cas: int32(o.CAS), writer: int32(o.Value.Writer),
			counter: int32(o.Value.Counter), kind: o.Kind, result: o.Result, asked: o.Asked,
		}
		list = append(list, porcupine.Operation{Input: int32(len(p.ops)), Call: o.Call, Return: rec.end()})
		p.ops = append(p.ops, rec)
	}
	slices.SortStableFunc(list, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	return porcupine.CheckOperationsTimeout(p.model(), list, searchTime)
}
