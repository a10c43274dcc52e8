package localbao

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/harness/tail"
)

// stopGrace is how long a process may take to end after it was asked to.
const stopGrace = 10 * time.Second

// process is a child that dies with this process. Its output is kept in memory,
// bounded, and shown only when it fails to start.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *tail.Buffer
	done chan struct{} // closed when the process has ended
	err  error         // valid after done
	once sync.Once
	stop syscall.Signal
}

// startProcess starts cmd. onDeath is the signal the kernel sends it when the
// thread that started it dies, which is why that goroutine keeps its thread
// until the child has ended (see golang.org/issue/27505).
func startProcess(name string, cmd *exec.Cmd, stop, onDeath syscall.Signal) (*process, error) {
	p := &process{name: name, cmd: cmd, log: &tail.Buffer{Limit: tailBytes}, done: make(chan struct{}), stop: stop}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // a terminal's Ctrl-C is for us to handle, in order
	setDeathSignal(cmd.SysProcAttr, onDeath)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		p.err = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// Stop asks the process to end and kills it if it does not within stopGrace.
func (p *process) Stop() {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(p.stop)
		timer := time.NewTimer(stopGrace)
		defer timer.Stop()
		select {
		case <-p.done:
		case <-timer.C:
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	})
}

// until polls ready every 50 ms until it returns nil. It gives up when ctx ends
// or the process does, and then reports the last error and the process's output.
func (p *process) until(ctx context.Context, what string, ready func(context.Context) error) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		last := ready(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-p.done:
			return fmt.Errorf("%s ended before %s: %v\n%s", p.name, what, p.err, p.log)
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w (last: %w)\n%s", what, ctx.Err(), last, p.log)
		}
	}
}

// tailBytes is how much is kept of what a process wrote, from its end.
const tailBytes = 16 << 10

// environ is the environment children get: nothing inherited but the path and
// locale, so that no BAO_*, VAULT_* or PG* variable changes what is tested.
func environ(extra ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}, extra...)
}
