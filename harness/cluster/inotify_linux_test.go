package cluster

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestCheckInotify: a host that has too few instances left is refused, and what was tried is given
// back.
func TestCheckInotify(t *testing.T) {
	t.Parallel()
	for _, free := range []int{0, 1, inotifyInstances - 1, inotifyInstances, inotifyInstances + 1} {
		made := 0
		err := checkInotify(func(int) (int, error) {
			if made == free {
				return -1, unix.EMFILE
			}
			made++
			null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			return null, err
		})
		if free >= inotifyInstances {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, exit.Environment, exit.CodeOf(err))
		require.ErrorContains(t, err, "fs.inotify.max_user_instances")
		require.ErrorIs(t, err, unix.EMFILE)
		require.Equal(t, free, made)
	}
}
