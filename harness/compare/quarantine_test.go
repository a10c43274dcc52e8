package compare

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// held is a quarantine of one metric for 30 days, judged a day after its beginning.
func held(t *testing.T, metric string) *Quarantine {
	t.Helper()
	q, err := ParseQuarantine("q.yaml", []byte(fmt.Sprintf(`{apiVersion: steamer/v1, kind: Quarantine, metrics: [
		{metric: %s, reason: its MDE was 31 %%, since: "2026-11-01T00:00:00Z", expires: "2026-12-01T00:00:00Z"}]}`, metric)))
	require.NoError(t, err)
	q.At = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	return q
}

func named(t *testing.T, c *Comparison, name string) Metric {
	t.Helper()
	for _, m := range c.Metrics {
		if m.Name == name {
			return m
		}
	}
	require.Fail(t, "no metric "+name)
	return Metric{}
}

// TestQuarantineNeedNotPass: a metric that cannot tell does not hold a PASS up, but what it proves
// is proven.
func TestQuarantineNeedNotPass(t *testing.T) {
	t.Parallel()
	noisy := func() *Comparison {
		rng := rand.New(rand.NewPCG(9, 9))
		c := made(rng, 40, 1, 0.05)
		for i := range c.Pairs {
			c.Pairs[i].B.Values["fetch_p95_ms"] *= 1.07 * (0.3 + 1.4*rng.Float64())
			c.Pairs[i].A.Values["fetch_p95_ms"] *= 0.3 + 1.4*rng.Float64()
		}
		return c
	}
	c := noisy()
	Judge(c, nil)
	require.Equal(t, result.Inconclusive, c.Verdict, "%v", c.Reasons)
	q := held(t, "fetch_p95_ms")
	Judge(c, q)
	require.Equal(t, result.Pass, c.Verdict, "%v", c.Reasons)
	require.Empty(t, c.Notes)
	m := named(t, c, "fetch_p95_ms")
	require.True(t, m.Gate)
	require.False(t, m.Decides())
	require.Equal(t, "its MDE was 31 % (until 2026-12-01)", m.Quarantined())

	before := c.Started // evidence older than the quarantine's end is judged by the day of judging
	for i := range c.Pairs {
		c.Pairs[i].B.Values["fetch_p95_ms"] *= 3
	}
	Judge(c, q)
	require.Equal(t, result.Fail, c.Verdict, "%v", c.Reasons)
	m = named(t, c, "fetch_p95_ms")
	require.True(t, m.Decides())
	Judge(c, nil)
	require.InDelta(t, m.PHolm, named(t, c, "fetch_p95_ms").PHolm, 1e-12,
		"at the level that it has without the quarantine")

	c = noisy()
	c.Started = before
	q.At = q.Metrics[0].Expires
	Judge(c, q)
	require.Equal(t, result.Inconclusive, c.Verdict, "an expired entry holds no longer")
	require.Equal(t,
		[]string{"the quarantine of fetch_p95_ms ended on 2026-12-01, so that it has to pass again (its MDE was 31 %)"},
		c.Notes)
	require.Empty(t, named(t, c, "fetch_p95_ms").Quarantine)

	c = noisy()
	c.Design.GateMetrics = gates(0.1, "fetch_p95_ms")
	Judge(c, held(t, "fetch_p95_ms"))
	require.Equal(t, result.Inconclusive, c.Verdict, "nothing that has to pass is no PASS")
	require.Contains(t, c.Reasons[0],
		"no metric is left that has to pass: p95 from the intended start is in quarantine")
	require.Equal(t, "why (until 2026-12-01)", (&Metric{Reason: formerly + "why (until 2026-12-01)"}).Quarantined(),
		"of a record of before")
}

// TestFailingSlicesGiveNoValues: neither the judgement nor a picture has their latency.
func TestFailingSlicesGiveNoValues(t *testing.T) {
	t.Parallel()
	c := made(rand.New(rand.NewPCG(3, 3)), 10, 1, 0.05)
	c.Pairs[1].B.Failed, c.Pairs[2].A.Failed, c.Pairs[3].B.Wrong, c.Pairs[4].A.Values["fetch_p50_ms"] = 1, 1, 1, 0
	a, b := c.Values("fetch_p50_ms")
	require.Len(t, a, 6)
	require.Len(t, b, 6)
	n, why := Discarded(c.Pairs)
	require.Equal(t, 3, n)
	require.ElementsMatch(t, []string{"1 × A: failed fetches", "1 × B: failed fetches", "1 × B: wrong values"}, why)
}

func TestParseQuarantineRefuses(t *testing.T) {
	t.Parallel()
	entry := func(metric, reason, since, expires string) string {
		return fmt.Sprintf(`{"apiVersion": "steamer/v1", "kind": "Quarantine", "metrics": [{"metric": %q, "reason": %q, "since": %q, "expires": %q}]}`, metric, reason, since, expires)
	}
	const day = "2006-01-02T15:04:05Z"
	soon, later := time.Now().Add(24*time.Hour).UTC().Format(day), time.Now().Add(20*24*time.Hour).UTC().Format(day)
	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", "writes one"},
		"no version":        {"kind: Quarantine", "apiVersion"},
		"unknown field":     {`{apiVersion: steamer/v1, kind: Quarantine, odd: 1}`, "odd"},
		"a time of judging": {`{apiVersion: steamer/v1, kind: Quarantine, at: "2026-11-01T00:00:00Z"}`, "at"},
		"no such metric":    {entry("x", "y", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"), `no metric "x"`},
		"no reason": {
			entry("fetch_p95_ms", " ", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
			"lacks one",
		},
		"no end":       {`{apiVersion: steamer/v1, kind: Quarantine, metrics: [{metric: fetch_p95_ms, reason: x, since: "2026-11-01T00:00:00Z"}]}`, "lacks one"},
		"no beginning": {`{apiVersion: steamer/v1, kind: Quarantine, metrics: [{metric: fetch_p95_ms, reason: x, expires: "2026-11-01T00:00:00Z"}]}`, "lacks one"},
		"for ever": {
			entry("fetch_p95_ms", "x", "2026-11-01T00:00:00Z", "9999-12-31T00:00:00Z"),
			"lasts from 2026-11-01 to 9999-12-31",
		},
		"for ever from long ago": {
			entry("fetch_p95_ms", "x", "1000-11-01T00:00:00Z", "9999-12-31T00:00:00Z"),
			"lasts from",
		},
		"31 days": {
			entry("fetch_p95_ms", "x", "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"),
			"within 30 days",
		},
		"an end before a beginning": {
			entry("fetch_p95_ms", "x", "2026-10-02T00:00:00Z", "2026-10-01T00:00:00Z"),
			"lasts from",
		},
		"in the future": {entry("fetch_p95_ms", "x", soon, later), "begins in the future"},
	} {
		_, err := ParseQuarantine("q", []byte(c.text))
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
		require.ErrorContains(t, err, c.want, name)
	}
	q, err := ParseQuarantine("q", []byte(entry("fetch_p95_ms", "x", "2020-10-01T00:00:00Z", "2020-10-31T00:00:00Z")))
	require.NoError(t, err, "30 days, long ago")
	require.Empty(t, q.reason("fetch_p95_ms"))
}

// FuzzParseQuarantine: what is read holds for 30 days at most, whenever it is judged.
func FuzzParseQuarantine(f *testing.F) {
	f.Add([]byte(`{apiVersion: steamer/v1, kind: Quarantine, metrics: [{metric: fetch_p95_ms, reason: x, since: "2026-10-01T00:00:00Z", expires: "2026-10-31T00:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := ParseQuarantine("q", data)
		if err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			return
		}
		for _, m := range q.Metrics {
			for _, at := range []time.Time{
				m.Since.Add(-time.Second), m.Since.Add(LongestQuarantine),
				time.Now().Add(LongestQuarantine),
			} {
				alone := Quarantine{Metrics: []Quarantined{m}, At: at}
				require.Empty(t, alone.reason(m.Metric))
			}
		}
	})
}
