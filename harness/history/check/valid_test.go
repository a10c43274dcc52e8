package check_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/history/historytest"
	"gitlab.com/steamer/steamer/harness/result"
)

// judged checks a history.
func judged(t testing.TB, data []byte) *check.Report {
	t.Helper()
	r, err := history.NewReader("history", bytes.NewReader(data))
	require.NoError(t, err)
	report, err := check.History(r)
	require.NoError(t, err)
	return report
}

// options draws what a generated history has.
func options(seed uint64) historytest.Options {
	rng := rand.New(rand.NewPCG(seed, 2))
	o := historytest.Options{
		Seed: seed, Clients: 1 + rng.IntN(6), Keys: 1 + rng.IntN(4), Ops: 20 + rng.IntN(120), Keep: 2 + rng.IntN(10),
		Faults: rng.IntN(3), Audit: rng.IntN(2) == 0,
	}
	if rng.IntN(3) > 0 {
		o.Unknown = rng.Float64() * 0.1
	}
	if rng.IntN(2) == 0 {
		o.Versions = rng.Float64() * 0.4
	}
	if rng.IntN(2) == 0 {
		o.DeleteLatest = rng.Float64() * 0.2
	}
	if rng.IntN(4) == 0 {
		o.Purge = rng.Float64() * 0.1
	}
	if rng.IntN(3) == 0 {
		o.Access = rng.Float64()
	}
	o.Loss = o.Purge == 0 && rng.IntN(4) == 0 // else too much is without an answer for a search
	return o
}

// TestValidHistoriesAreAccepted: a checker that refuses what a correct server gives is worse than
// none.
func TestValidHistoriesAreAccepted(t *testing.T) {
	t.Parallel()
	const histories, parts = 12000, 8
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			for seed := part; seed < histories; seed += parts {
				report := judged(t, historytest.Generate(options(uint64(seed))).Bytes())
				if report.Verdict == result.Fail || len(report.Undecided) > 0 {
					var text bytes.Buffer
					require.NoError(t, check.Text(&text, report))
					t.Fatalf("seed %d\n%s", seed, &text)
				}
			}
		})
	}
}
