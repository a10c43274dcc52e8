package check_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
)

// TestSharedFetchOfKeys: a login with a key that was just published may be refused by a fetch of
// the mount's keys that another login began before.
func TestSharedFetchOfKeys(t *testing.T) {
	t.Parallel()
	const (
		head    = `{"apiVersion":"steamer/v1","kind":"History","started":"2026-12-01T00:00:00Z","seed":1}` + "\n"
		before  = "c 1 1 grant t0/role:a,t0/key:1,t1/key:1\nr 2 1 ok\n"
		publish = "c 20 1 grant t0/key:2,t1/key:2\nr 30 1 ok\n"
		refused = "c 40 1 use t0/role:a,t0/key:2\nr 60 1 refused p0\n"
	)
	for name, tc := range map[string]struct {
		lines string
		want  int // violations of S8
	}{
		"another login is under way since before": {
			"c 10 2 use t0/role:b,t0/key:0\n" + publish + refused + "r 70 2 refused p0\n", 0,
		},
		"it has no answer": {"c 10 2 use t0/role:b,t0/key:0\n" + publish + refused, 0},
		"it ended before":  {"c 10 2 use t0/role:b,t0/key:0\nr 15 2 refused p0\n" + publish + refused, 1},
		"it began after":   {publish + "c 35 2 use t0/role:b,t0/key:0\n" + refused + "r 70 2 refused p0\n", 1},
		"on another mount": {"c 10 2 use t1/role:b,t1/key:0\n" + publish + refused + "r 70 2 refused p0\n", 1},
		"the key was in use already": {
			"c 10 2 use t0/role:b,t0/key:0\n" + publish + "c 31 1 use t0/role:a,t0/key:2\nr 32 1 ok p0\n" + refused, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := history.NewReader("history", strings.NewReader(head+before+tc.lines))
			require.NoError(t, err)
			report, err := check.History(r)
			require.NoError(t, err)
			require.Equal(t, tc.want, report.Rules["S8"], "%v", report.Violations)
		})
	}
}
