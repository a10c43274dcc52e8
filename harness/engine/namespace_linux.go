package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/wait"
)

// Namespace is the network namespace of a private engine, seen from a process inside it. While a
// process has one, the engine is in use.
type Namespace struct {
	// Handover is what the process that entered left for this one; nil where it was entered by
	// other means.
	Handover []byte

	home  home
	inode uint64
	use   *lock // nil after Leave
}

// handoverVariable tells a process what it inherits from itself: the descriptors of the lock and
// of the handover.
const handoverVariable = "STEAMER_HANDOVER"

// Exists reports whether there is a private engine of these options, running or not. The error is
// of code exit.Environment: what is there is not ours.
func Exists(opts Options) (bool, error) {
	h, err := homeOf(opts.DataDir)
	if err != nil {
		return false, err
	}
	m, err := h.read()
	return m != nil, err
}

// Arrived returns the network namespace that this process is in; nil where it is not that of the
// options' private engine. It has to be called before anything else is started, once in a process.
func Arrived(opts Options) (*Namespace, error) {
	use, handover, err := inherited()
	if err != nil {
		return nil, err
	}
	drop := func(err error) (*Namespace, error) {
		if use != nil {
			use.release()
		}
		return nil, err
	}
	h, err := homeOf(opts.DataDir)
	if err != nil {
		return drop(err)
	}
	there, err := pinned(h.pin())
	if err != nil || there == 0 {
		return drop(err)
	}
	own, err := inode(ownNetwork)
	if err != nil || own != there {
		return drop(err)
	}
	if _, err := h.read(); err != nil {
		return drop(err)
	}
	if use == nil || !use.at(h.using()) {
		if use, err = tryLock(h.using(), unix.LOCK_SH); err != nil {
			return nil, exit.Environmentf("private engine", "wait until it has stopped", "%s is stopping it: %w",
				holders(h.using()), err)
		}
	}
	return &Namespace{Handover: handover, home: h, inode: there, use: use}, nil
}

// inherited takes over what this process left for itself before Enter made it begin again.
func inherited() (use *lock, handover []byte, err error) {
	text, there := os.LookupEnv(handoverVariable)
	if !there {
		return nil, nil, nil
	}
	if err := os.Unsetenv(handoverVariable); err != nil {
		return nil, nil, err
	}
	first, second, _ := strings.Cut(text, ",")
	lockFD, err := strconv.Atoi(first)
	if err == nil {
		var dataFD int
		if dataFD, err = strconv.Atoi(second); err == nil {
			unix.CloseOnExec(lockFD)
			data := os.NewFile(uintptr(dataFD), "handover")
			defer data.Close()
			if _, err = data.Seek(0, io.SeekStart); err == nil {
				handover, err = io.ReadAll(data)
			}
		}
	}
	if err != nil {
		return nil, nil, exit.Environmentf(handoverVariable, "leave the variable unset", "it is Steamer's own: %w", err)
	}
	return &lock{os.NewFile(uintptr(lockFD), "lock")}, handover, nil
}

// Enter makes this process begin again with the same arguments, inside the private engine's
// network namespace, which it makes where there is none. It keeps its process ID, terminal,
// standard streams and environment. It returns on errors only.
func Enter(ctx context.Context, opts Options, handover []byte) error {
	h, err := homeOf(opts.DataDir)
	if err != nil {
		return err
	}
	use, err := h.prepare(ctx, opts.log)
	if err != nil {
		return err
	}
	defer use.release()
	program, data, environ, err := beginAgain(use, handover)
	if err != nil {
		return err
	}
	defer data.Close()
	return inThread(func() error {
		if err := enterNetwork(h.pin()); err != nil {
			return exit.Environmentf("private engine", "steamer cluster gc removes it", "%w", err)
		}
		// execve(2) ends all other threads and keeps this one, and its namespace with it.
		return fmt.Errorf("begin again inside the private engine's network namespace: %w", syscall.Exec(program, os.Args,
			environ))
	})
}

// beginAgain prepares what a new image of this program inherits.
func beginAgain(use *lock, handover []byte) (program string, data *os.File, environ []string, err error) {
	fd, err := unix.MemfdCreate("steamer-handover", 0)
	if err != nil {
		return "", nil, nil, fmt.Errorf("handover: %w", err)
	}
	data = os.NewFile(uintptr(fd), "handover")
	if _, err := data.Write(handover); err != nil {
		_ = data.Close()
		return "", nil, nil, fmt.Errorf("handover: %w", err)
	}
	if err := use.inheritable(); err != nil {
		_ = data.Close()
		return "", nil, nil, err
	}
	environ = append(os.Environ(), fmt.Sprintf("%s=%d,%d", handoverVariable, use.file.Fd(), fd))
	return "/proc/self/exe", data, environ, nil // the program that runs, also where its file was replaced meanwhile
}

// inheritable lets programs that take this process's place have the lock.
func (l *lock) inheritable() error {
	if _, err := unix.FcntlInt(l.file.Fd(), unix.F_SETFD, 0); err != nil {
		return fmt.Errorf("lock %s: %w", l.file.Name(), err)
	}
	return nil
}

// prepare makes the namespace where there is none, and returns the lock of who uses it.
func (h home) prepare(ctx context.Context, log func(string)) (*lock, error) {
	changing, err := h.change(ctx, log)
	if err != nil {
		return nil, err
	}
	defer changing.release()
	if err := h.provide(); err != nil {
		return nil, err
	}
	use, err := tryLock(h.using(), unix.LOCK_SH)
	if err != nil {
		return nil, exit.Environmentf("private engine", "", "%w: %s", err, holders(h.using()))
	}
	return use, nil
}

// change takes the lock that starting and stopping need.
func (h home) change(ctx context.Context, log func(string)) (*lock, error) {
	return awaitLock(ctx, h.changing(), lockTimeout, func(holders string) {
		log("waiting for " + holders + ", which starts or stops the private engine")
	})
}

// provide makes the directory and the namespace where they are missing; what is there and not ours
// is left alone. It needs the lock of change.
func (h home) provide() error {
	m, err := h.read()
	if err != nil {
		return err
	}
	there, err := pinned(h.pin())
	if err != nil {
		return err
	}
	switch {
	case m == nil:
		m = &mark{Data: h.data}
		if err := h.write(*m); err != nil {
			return exit.Environmentf("private engine", "make "+runRoot+" writable for this process", "%w", err)
		}
	case there != 0 && m.Namespace == there:
		return h.closed()
	case there != 0 && m.Namespace != 0:
		return h.foreign("the network namespace at %s is not the one that Steamer made", h.pin())
	case there != 0: // a process that was making it has died between two steps
		if err := UnmountBelow(h.pin()); err != nil {
			return err
		}
	}
	number, err := pinNew(h.pin())
	if err == nil {
		err = h.write(mark{Data: h.data, Namespace: number})
	}
	if err != nil {
		return exit.Environmentf("private engine", "run as root with CAP_SYS_ADMIN; in CI that is a privileged job", "%w",
			errors.Join(err, h.remove()))
	}
	return nil
}

// closed refuses a namespace that somebody gave a way out: a stray packet to a pod's address would
// reach machines that are not ours.
func (h home) closed() error {
	route, err := wayOutOf(h.pin())
	if err != nil {
		return err
	}
	if route != "" {
		return h.foreign("its network namespace has a route out (%s)", route)
	}
	return nil
}

func (n *Namespace) engine() *Engine { return n.home.engine() }

// Keep lets the engine stay when its last user leaves, until Stop.
func (n *Namespace) Keep() error { return os.WriteFile(n.home.keepFile(), nil, 0o600) }

// Release hands the use of the engine to the program that takes this process's place.
func (n *Namespace) Release() error {
	if n.use == nil {
		return nil
	}
	return n.use.inheritable()
}

// Leave ends this process's use of the engine. The last one that leaves stops the engine, unless
// containers run on it or Keep was called, and removes everything that it had on the host but its
// data.
func (n *Namespace) Leave(ctx context.Context) error {
	if n == nil {
		return nil
	}
	if _, err := os.Stat(n.home.keepFile()); err == nil {
		n.drop()
		return nil
	}
	return n.Clear(ctx)
}

// Clear is Leave that stops an engine which was to be kept as well.
func (n *Namespace) Clear(ctx context.Context) error {
	err := n.Stop(ctx)
	if errors.Is(err, errInUse) {
		return nil
	}
	return err
}

var errInUse = errors.New("it is in use")

// Stop is Clear that fails where others use the engine or containers run on it. The error is of
// code exit.Environment.
func (n *Namespace) Stop(ctx context.Context) error {
	if n == nil || n.use == nil {
		return nil
	}
	defer n.drop()
	changing, err := n.home.change(ctx, func(string) {})
	if err != nil {
		return err
	}
	defer changing.release()
	if err := n.use.change(unix.LOCK_EX); err != nil {
		if errors.Is(err, errHeld) { // the last one stops it
			return exit.Environmentf("private engine", "wait for it or end it", "%w: %s", errInUse, holders(n.home.using()))
		}
		return err
	}
	if err := n.idle(ctx); err != nil {
		return err
	}
	if err := n.home.stopDaemon(ctx); err != nil {
		return err
	}
	if err := n.endOthers(ctx); err != nil {
		return err
	}
	if err := n.home.remove(); err != nil {
		return exit.Environmentf("private engine", "steamer cluster gc tries again", "%w", err)
	}
	// Who opened one of these files before sees that it is gone, and begins with a new one.
	return errors.Join(os.Remove(n.home.using()), os.Remove(n.home.changing()), removeEmpty(runRoot))
}

func (n *Namespace) drop() {
	if n.use != nil {
		n.use.release()
		n.use = nil
	}
}

// removeEmpty removes a directory unless something is in it.
func removeEmpty(dir string) error {
	if err := os.Remove(dir); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// idle refuses to stop an engine on which containers run.
func (n *Namespace) idle(ctx context.Context) error {
	pid, err := n.home.daemon()
	if err != nil {
		return err
	}
	const hint = "steamer cluster gc removes them, or with --all also what is to be kept"
	if pid == 0 {
		if slices.ContainsFunc(n.others(), func(pid int) bool { return strings.HasPrefix(nameOf(pid), "containerd-shim") }) {
			return exit.Environmentf("private engine", hint, "its daemon has died, and containers still run")
		}
		return nil
	}
	out, err := n.home.engine().Run(ctx, "ps", "--quiet")
	if err != nil {
		return exit.Environmentf("private engine", "steamer doctor", "%w", err)
	}
	if running := len(strings.Fields(out)); running > 0 {
		return exit.Environmentf("private engine", hint, "%w: %d containers run on it", errInUse, running)
	}
	return nil
}

// others are the processes in the namespace but this one and its ancestors. Where nobody else uses
// the engine they are orphans of runs that were killed, such as a load generator.
func (n *Namespace) others() []int {
	own := ancestors()
	return slices.DeleteFunc(membersOf(n.inode), func(pid int) bool { return own[pid] })
}

// endOthers ends the orphans: the namespace lives as long as any process is in it.
func (n *Namespace) endOthers(ctx context.Context) error {
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		for _, pid := range n.others() {
			if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
				return exit.Environmentf("private engine", "end it by hand", "process %d (%s): %w", pid, nameOf(pid), err)
			}
		}
		_, err := wait.Until(ctx, wait.For{
			What: "nothing runs in the namespace", Interval: pollInterval,
			Deadline: orphanTimeout,
		}, func(context.Context) error {
			if left := n.others(); len(left) > 0 {
				return fmt.Errorf("process %d (%s) runs in it", left[0], nameOf(left[0]))
			}
			return nil
		})
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if signal == unix.SIGKILL {
			return exit.Environmentf("private engine", "end it by hand", "%w", err)
		}
	}
	return nil
}

// orphanTimeout bounds the wait for orphans to end, after each of two signals.
const orphanTimeout = 5 * time.Second

// nameOf is a process's name; "" when it has ended.
func nameOf(pid int) string {
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}
