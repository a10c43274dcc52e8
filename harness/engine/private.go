package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
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

// runDir holds the socket, the process id and the daemon's state. It is gone after a reboot, as they are.
const runDir = "/run/steamer/engine"

// StartTimeout bounds how long a private daemon may take to answer; StopTimeout, to end.
const (
	StartTimeout = 60 * time.Second
	StopTimeout  = 30 * time.Second
	pollInterval = 100 * time.Millisecond
)

func socketURL() string { return "unix://" + filepath.Join(runDir, "docker.sock") }

// private is a Docker daemon with its own socket and data, which never reads or
// writes the system's Docker configuration.
type private struct {
	pid int // of the daemon that this process started; 0 for one that another process started
}

func startPrivate(ctx context.Context, opts Options) (*Engine, error) {
	const mend = "start Docker or Podman, or run as root with the packages docker.io and runc installed (steamer doctor lists what is missing)"
	if os.Geteuid() != 0 {
		return nil, exit.Environmentf("container engine", mend, "neither Docker nor Podman answers, and only root can start a private daemon")
	}
	dockerd, err := lookPath("dockerd")
	if err != nil {
		return nil, exit.Environmentf("container engine", mend, "neither Docker nor Podman answers, and dockerd is not installed")
	}
	for _, dir := range []string{runDir, opts.DataDir} {
		if err := os.MkdirAll(dir, 0o710); err != nil {
			return nil, exit.Environmentf("private engine", "make "+dir+" writable for this process", "%w", err)
		}
	}
	if opts.Log != nil {
		opts.Log("starting a private Docker daemon (socket and state in " + runDir + ", data in " + opts.DataDir + ")")
	}
	e := &Engine{Binary: "docker", Host: socketURL(), Private: true, Started: true, private: &private{}}
	err = e.private.start(ctx, dockerd, opts.DataDir)
	if err == nil {
		err = e.await(ctx)
	}
	if err != nil { // what was added to the host goes again
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopTimeout)
		defer cancel()
		return nil, errors.Join(err, e.private.stop(stopCtx))
	}
	return e, nil
}

// await waits until the daemon answers; where it does not, the error ends with the daemon's own last words.
func (e *Engine) await(ctx context.Context) error {
	_, err := wait.Until(ctx, wait.For{What: "the daemon answers", Interval: pollInterval, Deadline: StartTimeout}, e.probe)
	if err != nil && ctx.Err() == nil {
		return exit.Environmentf("private engine", "steamer doctor", "%w\n%s", err, tail(filepath.Join(runDir, "dockerd.log"), 5))
	}
	return cmp.Or(ctx.Err(), err)
}

func (p *private) start(ctx context.Context, dockerd, dataDir string) error {
	config, err := daemonConfig()
	if err != nil {
		return err
	}
	configFile := filepath.Join(runDir, "daemon.json")
	if err := os.WriteFile(configFile, config, 0o600); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(runDir, "dockerd.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := recordNetfilter(ctx); err != nil {
		return err
	}
	if err := addGuardRoutes(ctx); err != nil {
		return err
	}
	// Not CommandContext: the daemon outlives an interrupt, because clean-up needs it, and is stopped by stop.
	cmd := exec.Command(dockerd, "--config-file", configFile, "--data-root", dataDir, "--exec-root", filepath.Join(runDir, "exec"),
		"--pidfile", p.pidFile(), "--host", socketURL(), "--log-level", "warn", "--bridge", "none")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "PATH="+administratorPath()) // it calls iptables
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}        // a Ctrl-C in the terminal is Steamer's to handle
	if err := cmd.Start(); err != nil {
		return exit.Environmentf("private engine", "steamer doctor", "%w", err)
	}
	p.pid = cmd.Process.Pid
	go func() { _ = cmd.Wait() }() // reaps the daemon if it ends first
	return nil
}

// dockerdNoFile is the limit of open files that Docker's packaged service sets for containers.
const dockerdNoFile = 1048576

// daemonConfig registers Steamer's OCI runtime where the host cannot give a container what runc would ask for.
func daemonConfig() ([]byte, error) {
	config := map[string]any{}
	var nofile unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &nofile); err != nil {
		return nil, err
	}
	if len(ociruntime.Missing()) > 0 || nofile.Max < dockerdNoFile {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		config["runtimes"] = map[string]any{"steamer": map[string]any{"path": self, "runtimeArgs": []string{ociruntime.Command}}}
		config["default-runtime"] = "steamer"
	}
	return json.Marshal(config)
}

func (p *private) pidFile() string { return filepath.Join(runDir, "dockerd.pid") }

// stop ends the daemon, waits until it is gone, puts the packet filter back, and removes the guard routes and the run directory.
func (p *private) stop(ctx context.Context) error {
	pid, err := p.find()
	if err != nil {
		return err
	}
	if pid != 0 && p.owns(pid) {
		if err := terminate(ctx, pid); err != nil {
			return err
		}
	}
	return errors.Join(restoreNetfilter(ctx), removeGuardRoutes(ctx), os.RemoveAll(runDir))
}

// find returns the daemon's process id, 0 if there is none. This process's own child is known before it writes its file.
func (p *private) find() (int, error) {
	if p.pid != 0 {
		return p.pid, nil
	}
	data, err := os.ReadFile(p.pidFile())
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, exit.Environmentf(p.pidFile(), "end the private dockerd by hand and remove the file", "%w", err)
	}
	return pid, nil
}

// owns reports whether a process is the daemon: the number in a file that a killed daemon left may be another's by now.
func (p *private) owns(pid int) bool {
	arguments, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && slices.Contains(strings.Split(string(arguments), "\x00"), p.pidFile())
}

// terminate asks a process to end and waits until it is gone, for at most StopTimeout.
func terminate(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, StopTimeout)
	defer cancel()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return ignoreGone(err)
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if err := syscall.Kill(pid, 0); err != nil {
			return ignoreGone(err)
		}
		select {
		case <-ctx.Done():
			return exit.Environmentf("private engine", "end process "+strconv.Itoa(pid)+" by hand", "dockerd did not stop within %s: %w", StopTimeout, ctx.Err())
		case <-ticker.C:
		}
	}
}

func ignoreGone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
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
