package result_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/result"
)

// loaded is a topology with 4 s measured from second 2 on, 1,000 fetches, and readings of
// everything every second from 0 to 7.
func loaded() *result.Topology {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	t := &result.Topology{
		Load: &result.Load{
			Start: start, WarmupSeconds: 2, MeasuredSeconds: 4, Fetches: 1000, Generator: result.Generator{CPUSeconds: 0.3},
			Series: []result.Interval{{Phase: "warmup", Fetches: 500}, {Phase: "measure", Fetches: 1000}},
		},
		Resources: []result.ResourceSeries{
			series("openbao", start, 0, 9, 9, 0.5, 0.5, 0.5, 0.5, 9),
			series("postgresql", start, 0, 9, 9, 0.25, 0.25, 0.25, 0.25, 9),
		},
		Seed:     &result.Seed{Tenants: 500, HeapBeforeMiB: 40},
		Database: &result.DatabaseUse{},
		Server:   []result.ServerSeries{{Pod: "a"}, {Pod: "b"}},
	}
	for i := range 8 {
		at := start.Add(time.Duration(i) * time.Second)
		rate := 0.0
		if i > 2 {
			rate = 250 // fetches in the second that ends here
		}
		t.Database.Samples = append(t.Database.Samples, result.DatabaseSample{
			At: at, Statements: 7 * rate, Rows: 3 * rate, ExecMs: 0.2 * rate, Commits: rate, Rollbacks: rate,
			Sessions: rate / 10,
		})
		t.Server[0].Samples = append(t.Server[0].Samples, result.ServerSample{At: at, Active: true, HeapMiB: 540 +
			100*float64(i%2)})
		t.Server[1].Samples = append(t.Server[1].Samples, result.ServerSample{At: at, HeapMiB: 20})
	}
	return t
}

func TestDeriveCost(t *testing.T) {
	t.Parallel()
	cost := loaded().DeriveCost()
	require.Empty(t, cost.Unknown)
	want := map[string]float64{
		"openbaoCPU": 2, "postgresqlCPU": 1, "generatorCPU": 0.2, "statements": 7, "transactions": 2, "rows": 3,
		"execMs": 0.2, "sessions": 0.1,
		"mibPer1000Tenants": 1000,
	}
	rows := cost.Table()
	require.Len(t, rows, len(want))
	for _, row := range rows {
		require.NotNil(t, row.Value, row.ID)
		require.InDelta(t, want[row.ID], *row.Value, 1e-9, row.ID)
		require.NotEmpty(t, row.Title)
	}
}

// TestDeriveCostUnknown: what could not be measured has a reason and no number.
func TestDeriveCostUnknown(t *testing.T) {
	t.Parallel()
	require.Nil(t, (&result.Topology{}).DeriveCost())
	for name, tc := range map[string]struct {
		spoil func(*result.Topology)
		ids   []string
		why   string
	}{
		"no statistics": {func(x *result.Topology) { x.Database = nil }, []string{
			"statements", "transactions",
			"rows", "execMs", "sessions",
		}, "were not read"},
		"sparse statistics": {
			func(x *result.Topology) { x.Database.Samples = x.Database.Samples[:4] },
			[]string{"statements", "rows"},
			"less than 90 %",
		},
		"few fetches": {func(x *result.Topology) { x.Load.Fetches = 99 }, []string{"statements"}, "too few"},
		"no CPU of OpenBao": {
			func(x *result.Topology) { x.Resources = x.Resources[1:] },
			[]string{"openbaoCPU"},
			"openbao",
		},
		"no CPU of k6": {
			func(x *result.Topology) { x.Load.Generator.CPUSeconds = 0 },
			[]string{"generatorCPU"},
			"not recorded",
		},
		"few tenants": {
			func(x *result.Topology) { x.Seed.Tenants = 50 },
			[]string{"mibPer1000Tenants"},
			"garbage",
		},
		"no heap before": {
			func(x *result.Topology) { x.Seed.HeapBeforeMiB = 0 },
			[]string{"mibPer1000Tenants"},
			"before the seed",
		},
		"no heap of the active": {
			func(x *result.Topology) { x.Server = x.Server[1:] },
			[]string{"mibPer1000Tenants"},
			"active pod",
		},
		"nothing was provisioned": {
			func(x *result.Topology) { x.Seed = nil },
			[]string{"mibPer1000Tenants"},
			"before the seed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := loaded()
			tc.spoil(x)
			cost := x.DeriveCost()
			for _, id := range tc.ids {
				require.Contains(t, cost.Unknown[id], tc.why, id)
				for _, row := range cost.Table() {
					if row.ID == id {
						require.Nil(t, row.Value, id)
						require.Equal(t, cost.Unknown[id], row.Reason)
					}
				}
			}
		})
	}
}
