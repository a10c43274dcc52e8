// Package engine is the seam to the container engine: a running Docker or Podman,
// or a Docker daemon of Steamer's own where none runs.
package engine

import (
	"bytes"
	"context"
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

	private *private
}

// Options says where a private daemon keeps its data and what is allowed.
type Options struct {
	DataDir string               // images and containers of a private daemon; survives the daemon
	Log     func(message string) // progress, one line each
}

// AnswerTimeout bounds how long an engine may take to answer a version query.
const AnswerTimeout = 10 * time.Second

// clientDelay bounds the wait for a killed client's output, which a process that it started may still hold.
const clientDelay = 5 * time.Second

// Detect returns the engine to use: what DOCKER_HOST names, else a running Docker, else a running
// Podman, else a private Docker daemon, which it starts when this process is root and dockerd is
// installed. The error is an exit.Environment error that says what to install.
func Detect(ctx context.Context, opts Options) (*Engine, error) {
	e, err := Running(ctx)
	if err == nil {
		return e, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if host := chosenHost(); host != "" {
		return nil, exit.Environmentf("DOCKER_HOST="+host, "start that engine, or unset DOCKER_HOST", "%w", err)
	}
	return startPrivate(ctx, opts)
}

// Running returns an engine that answers already, without starting anything. A DOCKER_HOST that does
// not answer is an error: whoever sets it means that engine and no other.
func Running(ctx context.Context) (*Engine, error) {
	var failures []error
	for _, e := range candidates() {
		if err := e.probe(ctx); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", e, err))
			continue
		}
		return e, nil
	}
	return nil, errors.Join(failures...)
}

// chosenHost is DOCKER_HOST as the user set it. The private engine's socket, which this process sets for
// kind, is not a choice of the user's.
func chosenHost() string {
	if host := os.Getenv("DOCKER_HOST"); host != socketURL() {
		return host
	}
	return ""
}

// candidates lists the engines to ask, best first.
func candidates() []*Engine {
	if host := chosenHost(); host != "" {
		return []*Engine{{Binary: "docker", Host: host}}
	}
	own := &Engine{Binary: "docker", Host: socketURL(), Private: true, private: &private{}}
	if os.Getenv("DOCKER_HOST") != "" {
		return []*Engine{own}
	}
	return []*Engine{{Binary: "docker"}, own, {Binary: "podman"}}
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
	ctx, cancel := context.WithTimeout(ctx, AnswerTimeout)
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
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", e.Binary, args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// Converse runs the client while stdin is being written, and returns when it ends, even if nobody closes stdin then. What it prints goes to
// stdout as it comes.
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

// Stop ends a private daemon that has no running containers left and removes what
// its start added to the host. For other engines it does nothing.
func (e *Engine) Stop(ctx context.Context) error {
	if !e.Private {
		return nil
	}
	out, err := e.Run(ctx, "ps", "--quiet")
	if err != nil {
		return err
	}
	if running := len(strings.Fields(out)); running > 0 {
		return exit.Environmentf("private engine", "steamer cluster list shows the clusters and whose they are; it stops when the last is gone",
			"%d containers still run on it", running)
	}
	return e.private.stop(ctx)
}
