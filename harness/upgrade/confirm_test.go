package upgrade

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target/outage"
)

// TestOutageIsJudged: an upgrade that is down for too long fails by the budget's name, and is not
// judged where the machine was in trouble.
func TestOutageIsJudged(t *testing.T) {
	t.Parallel()
	env := &scenario.Env{Outage: func(change, strategy string) (judge.Outage, bool) {
		return judge.Outage{Change: change, Strategy: strategy, Longest: 15, Sum: 15, Failed: 30}, strategy == "Recreate"
	}}
	down := func(d time.Duration) outage.Report {
		return outage.Report{Probes: 9, Due: 1200, Lost: int(d / (50 * time.Millisecond)), Unavailable: d, Longest: d}
	}
	for name, tc := range map[string]struct {
		fresh, kept time.Duration
		strategy    string
		machine     string
		least       float64
		want        result.Verdict
		reason      string
	}{
		"short": {5 * time.Second, 5 * time.Second, "Recreate", "", 0, result.Pass, ""},
		"long": {
			48 * time.Second, 5 * time.Second, "Recreate", "", 0, result.Fail,
			"outage budget of change upgrade with strategy Recreate missed: " +
				"for a client with a connection per fetch the longest gap is 48.0 s",
		},
		"kept connection": {0, 16 * time.Second, "Recreate", "", 0, result.Fail, "a kept connection"},
		"the machine": {
			48 * time.Second, 0, "Recreate", "this machine stood still for 9.0 s", 0, result.Inconclusive,
			"while this machine stood still",
		},
		"the chart, whatever the machine does": {
			48 * time.Second, 0, "Recreate", "this machine stood still for 9.0 s", 44, result.Fail,
			"last error: <nil>; by the chart's own probes no fetch can work for 44 s",
		},
		"the chart within the budget": {
			48 * time.Second, 0, "Recreate", "this machine stood still for 9.0 s", 14, result.Inconclusive, "while this machine",
		},
		"a gap that the chart's probes do not explain": {
			20 * time.Second, 0, "Recreate", "this machine stood still for 9.0 s", 44, result.Inconclusive, "while this machine",
		},
		"no budget": {0, 0, "OnDelete", "", 0, result.Inconclusive, "no outage budget"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, c := Outcome{Verdict: result.Pass}, Confirmation{Strategy: tc.strategy}
			c.judge(env, judge.OutageUpgrade, outage.Reports{
				Fresh: down(tc.fresh), Kept: down(tc.kept), Interval: 50 * time.Millisecond, Machine: tc.machine,
			}, tc.least, &o)
			require.Equal(t, tc.want, o.Verdict)
			require.Contains(t, strings.Join(o.Reasons, "\n"), tc.reason)
		})
	}
}

// TestSecretsAreCompared: every key of before has to have its value, and Helm's records do not
// count.
func TestSecretsAreCompared(t *testing.T) {
	t.Parallel()
	secret := func(name string, data map[string][]byte) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "n"}, Data: data}
	}
	key := map[string][]byte{"key": []byte("a"), "more": []byte("b")}
	before, err := secrets(t.Context(), &scenario.Env{Namespace: "n", Kube: fake.NewClientset(secret("s", key),
		secret(records+"x.v1", key))})
	require.NoError(t, err)
	require.Len(t, before, 2)
	for name, tc := range map[string]struct {
		after     map[string][]byte
		predicted []Finding
		want      result.Verdict
		kept      int
	}{
		"kept":      {key, nil, result.Pass, 2},
		"lost":      {map[string][]byte{"key": []byte("a")}, nil, result.Fail, 1},
		"generated": {map[string][]byte{"key": []byte("z"), "more": []byte("b")}, nil, result.Fail, 1},
		"set by the values": {
			map[string][]byte{"key": []byte("z"), "more": []byte("b")},
			[]Finding{{Rule: ruleSecretValue, Severity: Note, Object: "Secret/s"}},
			result.Pass, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, c := Outcome{Verdict: result.Pass, Predicted: Prediction{Findings: tc.predicted}}, Confirmation{}
			c.compare(t.Context(), &scenario.Env{Namespace: "n", Kube: fake.NewClientset(secret("s", tc.after))}, before, &o)
			require.Equal(t, tc.want, o.Verdict, o.Reasons)
			require.Equal(t, [2]int{tc.kept, 2}, [2]int{c.Kept, c.Keys})
		})
	}
}

// TestReached: an image that turns out to be older than the data is an error, and no upgrade is
// rolled back to an OpenBao that is older than the one that has written.
func TestReached(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		back       bool
		wrote, now string
		wantBack   bool
		notBack    string
		refused    bool
	}{
		"the same":                {true, "2.4.0", "2.4.0", true, "", false},
		"the same, not back":      {false, "2.4.0", "2.4.0", false, "", false},
		"later":                   {false, "2.4.0", "2.6.2", false, "", false},
		"later, and back":         {true, "2.4.0", "2.6.2", false, "that 2.4.0 reads what 2.6.2 wrote", false},
		"older":                   {true, "2.6.2", "2.4.0", false, "", true},
		"what cannot be compared": {true, "2.6.2", "", true, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Outcome{Verdict: result.Pass}
			edge := Edge{From: Stop{Name: "a"}, To: Stop{Name: "b", Image: "r/openbao:stable"}, Back: tc.back}
			back, err := reached(edge, tc.wrote, tc.now, &o)
			require.Equal(t, tc.wantBack, back)
			if tc.notBack == "" {
				require.Empty(t, o.NotRolledBack)
			} else {
				require.Contains(t, o.NotRolledBack, tc.notBack)
			}
			if !tc.refused {
				require.NoError(t, err)
				require.Equal(t, result.Pass, o.Verdict)
				return
			}
			require.Equal(t, exit.Environment, exit.CodeOf(err))
			require.ErrorContains(t, err,
				"image r/openbao:stable (OpenBao 2.4.0) is older than the data, which OpenBao 2.6.2 wrote")
			require.Equal(t, result.Inconclusive, o.Verdict)
		})
	}
}
