package cluster

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProcess: on the machine itself, this process lives, and one that ended is gone though its
// number may come back.
func TestProcess(t *testing.T) {
	t.Parallel()
	require.Equal(t, Alive, realSystem.life(realSystem.process(os.Getpid())))
	child := exec.Command("sleep", "600")
	require.NoError(t, child.Start())
	p := realSystem.process(child.Process.Pid)
	require.NotEmpty(t, p.Start)
	require.Equal(t, Alive, realSystem.life(p))
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	require.Equal(t, Gone, realSystem.life(p))
}
