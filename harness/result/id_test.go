package result_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/result"
)

func TestIDsSortByTimeAndDiffer(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 14, 55, 1, 0, time.UTC)
	a := result.NewID(at)
	require.Regexp(t, `^20261123-145501-[0-9a-f]{4}$`, a)
	require.Less(t, a, result.NewID(at.Add(time.Second)))
}
