// Package doctor knows what a machine needs for a run, finds out what it lacks, and installs what
// can be installed.
package doctor

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/steps"
)

// Purpose is what a machine is set up for.
type Purpose string

// The purposes: a run with images built here, the repository's own tests, and the comparison of
// load generators.
const (
	ForRun   Purpose = "run"
	ForTest  Purpose = "test"
	ForBench Purpose = "bench"
)

// requirement is one thing that a machine needs.
type requirement struct {
	Name     string
	Why      string
	Packages []string // Debian packages that provide it
	For      []Purpose
	Present  func(context.Context) bool
	Optional bool // where it cannot be installed, what needs it is left out
}

// requirements lists everything besides Go, git and make, which build Steamer in the first place.
func requirements() []requirement {
	return []requirement{
		{
			"container engine", "kind's nodes are containers",
			[]string{"docker.io", "runc", "iptables"},
			[]Purpose{ForRun},
			func(ctx context.Context) bool {
				if _, err := engine.Running(ctx, engine.Options{}); err == nil {
					return true
				}
				return programs("dockerd", "docker", "runc", "containerd", "iptables")
			},
			false,
		},
		{
			"mmdebstrap", "makes the root file systems of the node, OpenBao and PostgreSQL images",
			[]string{"mmdebstrap"},
			[]Purpose{ForRun},
			present("mmdebstrap"), false,
		},
		{
			"dpkg-deb and apt-get", "mmdebstrap fetches Debian packages by them",
			[]string{"dpkg", "apt"},
			[]Purpose{ForRun},
			present("dpkg-deb", "apt-get"), false,
		},
		{
			"PostgreSQL server", "integration tests run a real one",
			[]string{"postgresql"},
			[]Purpose{ForTest},
			func(context.Context) bool { return postgresql() }, false,
		},
		{
			"wrk", "the ceiling that load generators are compared with",
			[]string{"wrk"},
			[]Purpose{ForBench},
			present("wrk"),
			true,
		},
	}
}

func present(names ...string) func(context.Context) bool {
	return func(context.Context) bool { return programs(names...) }
}

// programs reports whether all programs are on the PATH or where Debian puts those of the
// administrator.
func programs(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		if _, err := exec.LookPath(name); err == nil {
			return false
		}
		for _, dir := range []string{"/usr/sbin", "/sbin"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return false
			}
		}
		return true
	})
}

func postgresql() bool {
	if programs("postgres", "initdb") {
		return true
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	return err == nil && len(found) > 0
}

// lacking returns the requirements of a purpose that the machine does not meet.
func lacking(ctx context.Context, purpose Purpose) []requirement {
	var missing []requirement
	for _, r := range requirements() {
		if slices.Contains(r.For, purpose) && !r.Present(ctx) {
			missing = append(missing, r)
		}
	}
	return missing
}

// Setup installs what is missing for the purposes, saying each thing before it does it. Where it
// cannot install (no apt-get, or not root), it returns an exit.Environment error that says what to
// install.
func Setup(ctx context.Context, out io.Writer, purposes ...Purpose) error {
	var packages []string
	canInstall := os.Geteuid() == 0 && programs("apt-get")
	for _, purpose := range purposes {
		for _, r := range lacking(ctx, purpose) {
			if r.Optional && !canInstall {
				fmt.Fprintf(out, "left out: %s (%s): only root on Debian or Ubuntu can have it installed by Steamer\n", r.Name,
					r.Why)
				continue
			}
			fmt.Fprintf(out, "missing: %s (%s): Debian packages %s\n", r.Name, r.Why, strings.Join(r.Packages, ", "))
			packages = append(packages, r.Packages...)
		}
	}
	if len(packages) == 0 {
		fmt.Fprintln(out, "nothing is missing")
		return nil
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	command := append([]string{"apt-get", "install", "--yes", "--no-install-recommends"}, packages...)
	if !canInstall {
		return exit.Environmentf("set-up", "on Debian or Ubuntu, as root: "+strings.Join(command, " ")+
			"; elsewhere install the same programs",
			"only root on Debian or Ubuntu can have them installed by Steamer")
	}
	ui := &steps.Text{W: out}
	for _, args := range [][]string{{"apt-get", "update"}, command} {
		started := time.Now()
		ui.Work(strings.Join(args, " "), -1)
		if err := apt(ctx, args); err != nil {
			return exit.Environmentf(strings.Join(args[:2], " "), "run it by hand to see what it asks for", "%w", err)
		}
		ui.Work(strings.Join(args, " "), time.Since(started).Seconds())
	}
	return nil
}

func apt(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	output, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		return fmt.Errorf("%w\n%s", err, strings.Join(lines[max(0, len(lines)-10):], "\n"))
	}
	return nil
}
