package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestCheckInCluster(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   *InCluster
		want string // "" is no error
	}{
		"a local process":  {nil, ""},
		"three pods":       {&InCluster{Parallelism: 3, CPU: "500m", Memory: "1Gi"}, ""},
		"no limits":        {&InCluster{Parallelism: 1}, ""},
		"no pods":          {&InCluster{}, "--parallelism 0"},
		"too many":         {&InCluster{Parallelism: 101}, "--parallelism 101"},
		"no quantity":      {&InCluster{Parallelism: 1, CPU: "much"}, "--generator-cpu much"},
		"nothing to spend": {&InCluster{Parallelism: 1, Memory: "0"}, "--generator-memory 0"},
	} {
		err := tc.in.Check()
		if tc.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, tc.want, name)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
	}
}
