package localbao_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

const envOrphan = "STEAMER_TEST_ORPHAN" // directory in which the child runs a server

// TestOrphans kills a process that runs a server and expects both servers to go too.
func TestOrphans(t *testing.T) {
	if dir := os.Getenv(envOrphan); dir != "" {
		s, err := localbao.Start(t.Context(), localbao.Options{Dir: dir})
		require.NoError(t, err)
		openbao, postgres := s.Nodes()[0].PID(), s.DatabasePID()
		fmt.Printf("%d %d\n", openbao, postgres)
		<-t.Context().Done() // killed long before
		return
	}
	dir, err := os.MkdirTemp("", "localbao-orphan-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	defer func() { require.NoError(t, os.RemoveAll(dir)) }()

	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOrphans$")
	child.Env = append(os.Environ(), envOrphan+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	var openbao, postgres int
	_, err = fmt.Sscan(line, &openbao, &postgres)
	require.NoError(t, err, "%q", line)
	require.NoError(t, syscall.Kill(openbao, 0), "OpenBao runs")

	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	for _, pid := range []int{openbao, postgres} {
		require.Eventually(t, func() bool {
			return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid)
		}, 20*time.Second, 50*time.Millisecond, "process %d outlived its parent", pid)
	}
}

// zombie reports a process that has ended but was not yet collected by whoever
// inherited it.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	var state string
	_, err = fmt.Sscanf(string(stat), "%d %s %s", new(int), new(string), &state)
	return err == nil && state == "Z"
}
