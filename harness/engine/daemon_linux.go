package engine

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/engine/ociruntime"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/wait"
)

// able says why this process could not start a private engine; nil where it could.
func able() error {
	const hint = "start Docker or Podman, or run as root with the packages docker.io and runc installed (steamer " +
		"doctor lists what is missing)"
	if os.Geteuid() != 0 {
		return exit.Environmentf("container engine", hint,
			"neither Docker nor Podman answers, and only root can start a private daemon")
	}
	if _, err := lookPath("dockerd"); err != nil {
		return exit.Environmentf("container engine", hint, "neither Docker nor Podman answers, and dockerd is not installed")
	}
	return nil
}

// engine is the handle of the private daemon.
func (h home) engine() *Engine {
	return &Engine{Binary: "docker", Host: h.socket(), Private: true}
}

// Engine returns the private engine, which it starts unless it runs. The error ends with the
// daemon's own last words.
func (n *Namespace) Engine(ctx context.Context, log func(string)) (*Engine, error) {
	if log == nil {
		log = func(string) {}
	}
	changing, err := n.home.change(ctx, log)
	if err != nil {
		return nil, err
	}
	defer changing.release()
	e := n.home.engine()
	pid, err := n.home.daemon()
	if err != nil {
		return nil, err
	}
	if pid != 0 { // it may have been started a moment ago, by a process that died
		return e, e.await(ctx, n.home, func() bool { return !n.home.owns(pid) })
	}
	if err := able(); err != nil {
		return nil, err
	}
	log("starting a private Docker daemon (network namespace, socket and state in " + n.home.dir + ", data in " +
		n.home.data + ")")
	ended, err := n.home.start()
	if err == nil {
		err = e.await(ctx, n.home, ended)
	}
	if err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return nil, errors.Join(err, n.home.stopDaemon(stopCtx))
	}
	e.Started = true
	return e, nil
}

// errEnded says that the daemon ended before it answered.
var errEnded = errors.New("dockerd ended at once")

// await waits until the daemon answers or has ended.
func (e *Engine) await(ctx context.Context, h home, ended func() bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	_, err := wait.Until(ctx, wait.For{What: "the daemon answers", Interval: pollInterval, Deadline: startTimeout},
		func(probing context.Context) error {
			gone := ended()
			err := e.probe(probing)
			if err != nil && gone {
				cancel(errEnded)
			}
			return err
		})
	switch cause := context.Cause(ctx); {
	case err == nil:
		return nil
	case errors.Is(cause, errEnded):
		err = errEnded
	case cause != nil:
		return cause
	}
	return exit.Environmentf("private engine", "steamer doctor", "%w; the end of its log:\n%s", err,
		tail(h.path("dockerd.log"), logLines))
}

// logLines is how much of the daemon's log an error shows.
const logLines = 8

// start starts the daemon in this process's network namespace. ended reports whether it has ended
// since.
func (h home) start() (ended func() bool, err error) {
	dockerd, err := lookPath("dockerd")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(h.data, 0o710); err != nil {
		return nil, exit.Environmentf("private engine", "make "+h.data+" writable for this process", "%w", err)
	}
	if err := nestCgroups("/sys/fs/cgroup", os.WriteFile); err != nil {
		return nil, exit.Environmentf("private engine", "run the job with a cgroup namespace of its own, and privileged",
			"%w", err)
	}
	config, err := h.daemonConfig()
	if err != nil {
		return nil, err
	}
	configFile := h.path("daemon.json")
	if err := os.WriteFile(configFile, config, 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(h.path("dockerd.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// Not CommandContext: the daemon outlives an interrupt, because clean-up needs it, and is
	// stopped by stopDaemon.
	cmd := exec.Command(dockerd, "--config-file", configFile, "--data-root", h.data, "--exec-root", h.path("exec"),
		"--pidfile", h.pidFile(), "--host", h.socket(), "--log-level", "warn", "--bridge", "none")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "PATH="+administratorPath()) // it calls iptables
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}        // a Ctrl-C in the terminal is Steamer's to handle
	if err := cmd.Start(); err != nil {
		return nil, exit.Environmentf("private engine", "steamer doctor", "%w", err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }() // reaps the daemon if it ends first
	return func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}, nil
}

// dockerdNoFile is the limit of open files that Docker's packaged service sets for containers.
const dockerdNoFile = 1048576

// daemonConfig registers Steamer's OCI runtime where the host cannot give a container what runc
// would ask for.
func (h home) daemonConfig() ([]byte, error) {
	config := map[string]any{}
	var nofile unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &nofile); err != nil {
		return nil, err
	}
	if len(ociruntime.Missing()) > 0 || nofile.Max < dockerdNoFile {
		path, err := h.runtime()
		if err != nil {
			return nil, err
		}
		config["runtimes"] = map[string]any{"steamer": map[string]any{
			"path":        path,
			"runtimeArgs": []string{ociruntime.Command},
		}}
		config["default-runtime"] = "steamer"
	}
	return json.Marshal(config)
}

// runtime copies this program to where the daemon finds it as its OCI runtime. The daemon runs it
// for each container and each command in one, and outlives the command that started it, whose
// program may be built again or removed meanwhile: every "docker exec" would end with status 126.
func (h home) runtime() (string, error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", err
	}
	defer self.Close()
	path := filepath.Join(h.data, "steamer-"+ociruntime.Command)
	made, err := os.CreateTemp(h.data, ".steamer-")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(made, self)
	if err = errors.Join(err, made.Chmod(0o755), made.Close()); err == nil {
		err = os.Rename(made.Name(), path)
	}
	if err != nil {
		_ = os.Remove(made.Name())
		return "", exit.Environmentf("private engine", "free 200 MB in "+h.data, "copying its OCI runtime: %w", err)
	}
	return path, nil
}

// daemon returns the process ID of the daemon that runs, 0 if none does: the number in a file that
// a killed daemon left may be another's by now. A daemon that has just been started has not
// written its file yet, and is found by its arguments.
func (h home) daemon() (int, error) {
	data, err := os.ReadFile(h.pidFile())
	if err == nil {
		pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err == nil && h.owns(pid) {
			return pid, nil
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	found, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, dir := range found {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && h.owns(pid) {
			return pid, nil
		}
	}
	return 0, nil
}

// owns reports whether a process is the daemon.
func (h home) owns(pid int) bool {
	arguments, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && slices.Contains(strings.Split(string(arguments), "\x00"), h.pidFile())
}

// stopDaemon ends the daemon and waits until it is gone, for at most stopTimeout.
func (h home) stopDaemon(ctx context.Context) error {
	pid, err := h.daemon()
	if err != nil || pid == 0 {
		return err
	}
	return terminate(ctx, pid)
}

// terminate asks a process to end and waits until it is gone, for at most stopTimeout.
func terminate(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		return ignoreGone(err)
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if err := unix.Kill(pid, 0); err != nil {
			return ignoreGone(err)
		}
		select {
		case <-ctx.Done():
			return exit.Environmentf("private engine", "end process "+strconv.Itoa(pid)+" by hand",
				"dockerd did not stop within %s: %w", stopTimeout, ctx.Err())
		case <-ticker.C:
		}
	}
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// tail returns the last lines of a file, or why it cannot.
func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
