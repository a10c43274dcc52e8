package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// child is one k6 process.
type child struct {
	binary   string
	stop     time.Duration // that it may take to end
	env      []string
	fixtures [][]byte  // for file descriptors from 3 on
	cmd      *exec.Cmd // nil before it began
	tail     Tail
	trace    *Trace // of the collector, before tail

	samples []result.GeneratorSample // valid after run
}

// run starts k6, hands it the fixtures, runs follow beside it and waits for everything. follow
// must return soon after its channel closes; when it fails, k6 is stopped.
func (c *child) run(ctx context.Context, args []string, follow func(<-chan struct{}) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.cmd = c.command(ctx, args)
	var outs []*os.File
	for range c.fixtures {
		in, out, err := os.Pipe()
		if err != nil {
			closeAll(append(c.cmd.ExtraFiles, outs...))
			return exit.Environmentf("k6", "raise the limit of open files", "%w", err)
		}
		c.cmd.ExtraFiles, outs = append(c.cmd.ExtraFiles, in), append(outs, out)
	}
	err := c.cmd.Start()
	closeAll(c.cmd.ExtraFiles) // the child has its own copies
	if err != nil {
		closeAll(outs)
		return exit.Environmentf("k6", "build the load generator again", "start %s: %w", c.binary, err)
	}

	ended := make(chan struct{})
	var g errgroup.Group
	for i, out := range outs {
		g.Go(func() error { return feed(out, c.fixtures[i], ended) })
	}
	g.Go(func() error {
		c.samples = watchProcess(c.cmd.Process.Pid, ended)
		return nil
	})
	g.Go(func() error {
		err := follow(ended)
		if err != nil {
			cancel(err)
		}
		return err
	})
	waitErr := c.cmd.Wait()
	// k6 starts no processes, but a wrapper script around it might have.
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	close(ended)
	besides := errors.Join(g.Wait(), c.trace.Flush())
	if ctx.Err() != nil {
		return fmt.Errorf("k6 was stopped: %w", context.Cause(ctx))
	}
	return errors.Join(c.explain(waitErr), besides)
}

// closeAll closes pipes; what was not written is of no use to anybody.
func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// feed writes the fixture and closes the pipe. A child that ends without
// reading all of it fails the write, which is then k6's error to explain.
func feed(out *os.File, fixture []byte, ended <-chan struct{}) error {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		// A descendant that holds the pipe open would block the write for ever.
		select {
		case <-ended:
			_ = out.SetWriteDeadline(time.Now())
		case <-stop:
		}
	}()
	_, err := out.Write(fixture)
	err = errors.Join(err, out.Close())
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// exitThresholds is k6's code for a run that ended in order with a crossed threshold.
const exitThresholds = 99

// meanings are k6's exit codes, from errext/exitcodes of k6 v2.
func meanings() map[int]string {
	return map[int]string{
		97: "a cloud run failed", 98: "the cloud did not tell its progress",
		exitThresholds: "one or more of the script's thresholds failed",
		100:            "the script's setup() took too long", 101: "the script's teardown() took too long",
		102: "a timeout without a reason",
		103: "the run was stopped through the REST API", 104: "the script's options are invalid",
		105: "the run was aborted by a signal",
		106: "the REST API could not start", 107: "the script threw an exception", 108: "the script aborted the run",
		109: "k6 panicked", 110: "the run was marked as failed",
	}
}

// ExitMeaning says what k6 means by an exit code.
func ExitMeaning(code int) string { return cmp.Or(meanings()[code], "unknown to this Steamer") }

// K6Error is k6 ending with another exit code than 0.
type K6Error struct {
	ExitCode int    // -1 when a signal ended it
	Meaning  string // what k6 means by the code
	Stderr   string // the last lines k6 wrote, credentials removed
}

// Error says code and meaning, then what k6 said last.
func (e *K6Error) Error() string {
	s := fmt.Sprintf("k6 ended with exit code %d: %s", e.ExitCode, e.Meaning)
	if e.ExitCode < 0 {
		s = "k6 was " + e.Meaning
	}
	if e.Stderr != "" {
		s += "\n  k6 said: " + strings.ReplaceAll(e.Stderr, "\n", "\n           ")
	}
	return s
}

// explain turns Wait's error into one a user understands.
func (c *child) explain(err error) error {
	var ee *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &ee):
		return exit.Environmentf("k6", "", "%w", err)
	}
	k := &K6Error{ExitCode: ee.ExitCode(), Meaning: ExitMeaning(ee.ExitCode()), Stderr: c.tail.String()}
	hint := "see k6's last messages above"
	if ws, ok := ee.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		k.Meaning = fmt.Sprintf("ended by signal %d (%v)", ws.Signal(), ws.Signal())
		if ws.Signal() == syscall.SIGKILL {
			hint = "if the kernel's OOM killer did it, lower the rate or the number of VUs, or use a larger machine"
		}
	}
	return exit.Environmentf("k6", hint, "%w", k)
}
