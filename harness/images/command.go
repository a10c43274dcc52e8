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

// run runs a command made with exec.CommandContext and returns what it printed, but for the lines
// that take, which may be nil, reports to have taken; its error ends with the last lines of that.
// Cancelling asks the command's whole process group to end: go and mmdebstrap start others, which
// would go on working, and mmdebstrap removes its tree first.
func run(cmd *exec.Cmd, take func(line string) bool) (string, error) {
	var output lines
	output.take = take
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
		printed := strings.Split(strings.TrimSpace(output.text()), "\n")
		return "", fmt.Errorf("%w\n%s", err, strings.Join(printed[max(0, len(printed)-20):], "\n"))
	}
	return output.text(), nil
}

// lines is what a command prints.
type lines struct {
	take func(line string) bool // gets each whole line first; nil takes none
	kept bytes.Buffer
	part []byte // of a line whose end was not printed yet; nothing where take is nil
}

func (l *lines) text() string { return l.kept.String() + string(l.part) }

func (l *lines) Write(data []byte) (int, error) {
	if l.take == nil {
		return l.kept.Write(data)
	}
	l.part = append(l.part, data...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole {
			return len(data), nil
		}
		l.part = rest
		if !l.take(string(line)) {
			l.kept.Write(line)
			l.kept.WriteByte('\n')
		}
	}
}
