package images

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// tidyTime is what a cancelled build may take to remove its own temporary files and mounts.
const tidyTime = 20 * time.Second

// run runs a command made with exec.CommandContext and returns what it printed; its error ends
// with the last lines of that. Cancelling asks the command's whole process group to end: go and
// mmdebstrap start others, which would go on working, and mmdebstrap removes its tree first.
func run(cmd *exec.Cmd) (string, error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cancelled := false
	cmd.Cancel = func() error {
		cancelled = true
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	cmd.WaitDelay = tidyTime
	err := cmd.Run()
	if cancelled {
		if gone := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); gone != nil && !errors.Is(gone, syscall.ESRCH) {
			err = errors.Join(err, gone)
		}
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(output.String()), "\n")
		return "", fmt.Errorf("%w\n%s", err, strings.Join(lines[max(0, len(lines)-20):], "\n"))
	}
	return output.String(), nil
}
