package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

func TestObserving(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	topology := func(throttled float64, observer float64) *result.Topology {
		return &result.Topology{
			Load:     &result.Load{Start: start, MeasuredSeconds: 10, Parts: []result.LoadPart{{Name: "k6-0"}}},
			Observer: &result.ObserverUse{Seconds: 100, CPUSeconds: 100 * observer},
			Resources: []result.ResourceSeries{
				{Component: "openbao", Samples: []result.ResourceSample{{At: start, Throttled: 1}}},
				{Component: "k6", Samples: []result.ResourceSample{{At: start, Throttled: throttled}}},
			},
		}
	}
	good := DefaultValidity().observing(topology(0.05, 0.02))
	require.Len(t, good, 2)
	require.Equal(t, []result.Verdict{result.Pass, result.Pass}, []result.Verdict{good[0].Verdict, good[1].Verdict})
	bad := DefaultValidity().observing(topology(0.06, 0.03))
	require.Equal(t, []result.Verdict{result.Inconclusive, result.Inconclusive}, []result.Verdict{
		bad[0].Verdict,
		bad[1].Verdict,
	})
	require.Contains(t, bad[0].Reason, "throttled in 6")
	require.True(t, bad[1].Informational, "it takes no part in the verdict")
	require.False(t, bad[0].Informational)
	coarse := topology(0, 0)
	coarse.Resources[1].Coarse, coarse.Resources[1].CPULimit = true, 0.1
	unknown := DefaultValidity().observing(coarse)[0]
	require.Equal(t, result.Inconclusive, unknown.Verdict)
	require.True(t, unknown.Informational, "it costs no PASS")
	require.NotEmpty(t, distortion([]result.Check{unknown}), "and excuses a latency that is too long")
	require.NotEmpty(t, read("openbao_throttled_ratio", &result.Topology{
		Load: coarse.Load,
		Resources: []result.ResourceSeries{{
			Component: "openbao", Coarse: true, Samples: []result.ResourceSample{{At: start}},
		}},
	}).missing)
	coarse.Resources[1].CPULimit = 0
	require.Equal(t, result.Pass, DefaultValidity().observing(coarse)[0].Verdict, "without a limit nothing throttles")
	blind := topology(0, 0)
	blind.Resources = blind.Resources[:1]
	require.Equal(t, result.Inconclusive, DefaultValidity().observing(blind)[0].Verdict, "nobody watched the generators")
	one := topology(0, 0)
	one.Load.Parts = append(one.Load.Parts, result.LoadPart{Name: "k6-1"})
	require.Contains(t, DefaultValidity().observing(one)[0].Reason, "not all observed",
		"the other one may have been held back")
	require.Empty(t, DefaultValidity().observing(&result.Topology{Load: &result.Load{}}),
		"a local k6 has its own condition")
}
