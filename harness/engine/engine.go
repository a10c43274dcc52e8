// Package engine is the seam to the container engine: a running Docker or Podman,
// or a Docker daemon of Steamer's own where none runs.
package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Engine is a container engine that answers.
type Engine struct {
	Binary  string // "docker" or "podman"
	Host    string // value of DOCKER_HOST; empty for the client's own default
	Version string // version of the server, e.g. "20.10.24"
	Private bool   // Steamer's own daemon
	Started bool   // this process started the private daemon
	Cgroup  string // cgroup version the server reports, "v1" or "v2"
}

// Options says where a private daemon keeps its data, and which network namespace this process is
// in.
type Options struct {
	DataDir   string               // images and containers of a private daemon; survives the daemon
	Log       func(message string) // progress, one line each; nil drops it
	Namespace *Namespace           // of the private engine, where this process is inside it; else nil
}

func (o Options) log(message string) {
	if o.Log != nil {
		o.Log(message)
	}
}

// runRoot holds the directories of private engines. It is gone after a reboot, as the daemons and
// their namespaces are.
const runRoot = "/run/steamer"

// answerTimeout bounds how long an engine may take to answer a version query.
const answerTimeout = 10 * time.Second

// How long a private daemon may take to answer, and to end.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
	pollInterval = 100 * time.Millisecond
)

// clientDelay bounds the wait for a killed client's output, which a process that it started may
// still hold.
const clientDelay = 5 * time.Second

// Detect returns the engine to use: inside a private engine's network namespace that engine, which
// it starts unless it runs; else what Running finds. It starts nothing outside: see Wanted and
// Enter.
func Detect(ctx context.Context, opts Options) (*Engine, error) {
	if opts.Namespace != nil {
		return opts.Namespace.Engine(ctx, opts.log)
	}
	e, err := Running(ctx, opts)
	if err == nil {
		return e, nil
	}
	return nil, unanswered(ctx, opts, err)
}

// unanswered explains why there is no engine, where Running failed.
func unanswered(ctx context.Context, opts Options, err error) error {
	switch host := os.Getenv("DOCKER_HOST"); {
	case ctx.Err() != nil:
		return ctx.Err()
	case exit.CodeOf(err) == exit.Invalid:
		return err
	case host != "" && host != socketOf(opts):
		hint := "start that engine, or unset DOCKER_HOST"
		if errors.Is(err, errPodman) || strings.Contains(host, "podman") {
			hint = "DOCKER_HOST is Podman's: unset it, and Steamer uses podman"
		}
		return exit.Environmentf("DOCKER_HOST="+host, hint, "%w", err)
	}
	if err := able(); err != nil {
		return err
	}
	if _, err := Exists(opts); err != nil {
		return err
	}
	return errPrivate
}

// errPrivate says that clusters can only be on a private engine, which is somewhere else.
var errPrivate = exit.Environmentf("container engine",
	"leave the starting of a private one to the command that makes a cluster", "neither Docker nor Podman answers")

// Wanted reports whether clusters of this process have to be on a private engine, because no other
// one answers. It changes nothing. The error says what keeps this process from having either: of
// code exit.Invalid where an engine was chosen that cannot work, else exit.Environment.
func Wanted(ctx context.Context, opts Options) (bool, error) {
	if opts.Namespace != nil {
		return false, nil // it is there already
	}
	_, err := Running(ctx, opts)
	if err == nil {
		return false, nil
	}
	if err = unanswered(ctx, opts, err); errors.Is(err, errPrivate) {
		return true, nil
	}
	return false, err
}

// Running returns an engine that answers already, without starting anything: inside a private
// engine's network namespace that engine, else what DOCKER_HOST names, else Docker, else Podman. A
// DOCKER_HOST that does not answer is an error: whoever sets it means that engine and no other. An
// engine that answers and cannot work is an error of code exit.Invalid.
func Running(ctx context.Context, opts Options) (*Engine, error) {
	var failures []error
	for _, e := range candidates(opts) {
		err := e.local(ctx)
		if err == nil {
			err = e.probe(ctx)
		}
		if err == nil {
			err = e.named(ctx)
		}
		if err == nil {
			err = e.suits(ctx)
		}
		if err == nil || exit.CodeOf(err) == exit.Invalid {
			return e.orNil(err), err
		}
		failures = append(failures, fmt.Errorf("%s: %w", e, err))
	}
	return nil, errors.Join(failures...)
}

func (e *Engine) orNil(err error) *Engine {
	if err != nil {
		return nil
	}
	return e
}

// candidates lists the engines to ask, best first. From inside a namespace no other engine's ports
// can be reached.
func candidates(opts Options) []*Engine {
	if opts.Namespace != nil {
		return []*Engine{opts.Namespace.engine()}
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		if host == socketOf(opts) {
			return nil // as engine up prints it: it means the private engine, whose clusters are to be reached from inside only
		}
		return []*Engine{{Binary: "docker", Host: host}}
	}
	return []*Engine{{Binary: "docker"}, {Binary: "podman"}}
}

// local refuses an engine by its address alone, before it is asked anything.
func (e *Engine) local(ctx context.Context) error {
	if strings.HasPrefix(e.Host, "unix://"+runRoot+"/") && !e.Private {
		return exit.Invalidf("DOCKER_HOST="+e.Host,
			"unset DOCKER_HOST, or name that engine's cache with --cache (or STEAMER_CACHE)",
			"it is the private engine of another cache")
	}
	if e.Host != "" {
		return refuseRemote("DOCKER_HOST="+e.Host, e.Host)
	}
	if e.Binary != "docker" {
		return nil
	}
	endpoint, err := e.endpoint(ctx)
	if err != nil {
		return nil // a client that knows no contexts has only its own socket
	}
	return refuseRemote("docker context "+endpoint, endpoint)
}

// endpoint is where Docker's client finds its daemon: DOCKER_HOST, else its context's.
func (e *Engine) endpoint(ctx context.Context) (string, error) {
	if e.Host != "" {
		return e.Host, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	out, err := e.Run(ctx, "context", "inspect")
	if err != nil {
		return "", err
	}
	return contextEndpoint(out)
}

// suits refuses an engine that answers and is not where this process is.
func (e *Engine) suits(ctx context.Context) error {
	if e.Private {
		return nil
	}
	format := `{"System":{{json .OperatingSystem}},"Kernel":{{json .KernelVersion}},"Root":{{json .DockerRootDir}}}`
	endpoint := ""
	if e.Binary == "podman" {
		format = `{"Kernel":{{json .Host.Kernel}},"Root":{{json .Store.GraphRoot}},"Remote":{{json .Host.ServiceIsRemote}}}`
	} else if found, err := e.endpoint(ctx); err == nil {
		endpoint = found
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	out, err := e.Run(ctx, "info", "--format", format)
	if err != nil && e.Binary == "podman" && ctx.Err() == nil {
		return nil // it answered before: its version names these fields in another way
	}
	if err != nil {
		return err
	}
	var v view
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		return fmt.Errorf("%s info: %w", e.Binary, err)
	}
	if why := v.elsewhere(here(ctx, endpoint)); why != "" {
		return exit.Invalidf("container engine "+e.String(), unsuitableHint, "%s", why)
	}
	return nil
}

// errPodman says that Docker's client leads to Podman.
var errPodman = errors.New("the engine that answers is Podman, which kind supports by its client podman only")

// named refuses Podman behind Docker's client: its API answers Docker's questions, and kind's
// provider for Docker does not work with it.
func (e *Engine) named(ctx context.Context) error {
	if e.Private || e.Binary != "docker" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	out, err := e.Run(ctx, "version", "--format", "{{json .Server.Components}}")
	if err == nil && strings.Contains(out, "Podman") {
		return errPodman
	}
	return nil // a server that lists no components is older than Podman's API
}

// String names the engine for people, e.g. "docker 20.10.24 (private)".
func (e *Engine) String() string {
	s := strings.TrimSpace(e.Binary + " " + e.Version)
	if e.Private {
		s += " (private)"
	}
	return s
}

// probe asks the server for its version and cgroup version.
func (e *Engine) probe(ctx context.Context) error {
	if _, err := exec.LookPath(e.Binary); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	format := "{{.ServerVersion}} {{.CgroupVersion}}"
	if e.Binary == "podman" {
		format = "{{.Version.Version}} {{.Host.CgroupsVersion}}"
	}
	out, err := e.Run(ctx, "info", "--format", format)
	if err != nil {
		return err
	}
	version, cgroup, _ := strings.Cut(strings.TrimSpace(out), " ")
	if version == "" {
		return errors.New("the server did not answer")
	}
	e.Version, e.Cgroup = version, "v"+strings.TrimPrefix(cgroup, "v")
	return nil
}

// Command prepares an invocation of the engine's client. It inherits the process's
// environment, with DOCKER_HOST set to this engine.
func (e *Engine) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, e.Binary, args...)
	cmd.Env = append(os.Environ(), e.Environ()...)
	cmd.WaitDelay = clientDelay
	return cmd
}

// Environ returns the variables that point any Docker client at this engine.
func (e *Engine) Environ() []string {
	if e.Host == "" {
		return nil
	}
	return []string{"DOCKER_HOST=" + e.Host}
}

// Run runs the client and returns its standard output. The error holds the
// client's own message.
func (e *Engine) Run(ctx context.Context, args ...string) (string, error) {
	return e.RunInput(ctx, nil, args...)
}

// RunInput is Run with a standard input.
func (e *Engine) RunInput(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := e.Command(ctx, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		said := strings.TrimSpace(stderr.String())
		if said == "" { // Docker writes what its OCI runtime reports to standard output
			said = lastLine(stdout.String())
		}
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", e.Binary, args[0], err, said)
	}
	return stdout.String(), nil
}

// lastLine is the end of an output, for an error.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// Converse runs the client while stdin is being written, and returns when it ends, even if nobody
// closes stdin then. What it prints goes to stdout as it comes.
func (e *Engine) Converse(ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) error {
	var stderr bytes.Buffer
	cmd := e.Command(ctx, args...)
	in, err := cmd.StdinPipe() // exec would wait for the end of a reader of its own
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = stdout, &stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s %s: %w", e.Binary, args[0], err)
	}
	go func() {
		_, _ = io.Copy(in, stdin) // its failure is the end of the client, which Wait explains
		_ = in.Close()
	}()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", e.Binary, args[0], err, strings.TrimSpace(stderr.String()))
	}
	return nil
}
