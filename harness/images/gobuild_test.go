package images

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// tinyModule is a builder over a source tree of one real module, and how many Go builds it has
// started.
func tinyModule(t *testing.T, source string) (*Builder, *atomic.Int64) {
	t.Helper()
	root := t.TempDir()
	writeFile(t, root, "tiny/go.mod", "module tiny\n\ngo 1.26\n")
	writeFile(t, root, "tiny/main.go", source)
	builds := &atomic.Int64{}
	return &Builder{Root: root, Cache: t.TempDir(), Progress: func(_ string, seconds float64) {
		if seconds < 0 {
			builds.Add(1)
		}
	}}, builds
}

const hello = "package main\n\nvar word string\n\nfunc main() { print(word) }\n"

func TestBinaryIsBuiltOnce(t *testing.T) {
	t.Parallel()
	b, builds := tinyModule(t, hello)
	program := binary{name: "tiny", module: "tiny", pkg: ".", ldflags: []string{"-X", "main.word=steam"}}
	var mu sync.Mutex
	paths := map[string]bool{}
	var group errgroup.Group
	for range 4 { // two images share a program
		group.Go(func() error {
			path, err := b.binary(t.Context(), program)
			mu.Lock()
			defer mu.Unlock()
			paths[path] = true
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Len(t, paths, 1)
	require.EqualValues(t, 1, builds.Load())
	for path := range paths {
		output, err := exec.CommandContext(t.Context(), path).CombinedOutput()
		require.NoError(t, err)
		require.Equal(t, "steam", string(output))
	}

	later := &Builder{Root: b.Root, Cache: b.Cache, Progress: b.Progress} // another process, later
	_, err := later.binary(t.Context(), program)
	require.NoError(t, err)
	require.EqualValues(t, 1, builds.Load(), "the cache holds it")
	writeFile(t, b.Root, "tiny/main.go", hello+"// changed\n")
	_, err = later.binary(t.Context(), program)
	require.NoError(t, err)
	require.EqualValues(t, 2, builds.Load(), "its source changed")
}

func TestFailingBuildReportsTheCompiler(t *testing.T) {
	t.Parallel()
	b, _ := tinyModule(t, "package main\n\nfunc main() { undefinedThing() }\n")
	program := binary{name: "tiny", module: "tiny", pkg: "."}
	_, err := b.binary(t.Context(), program)
	require.ErrorContains(t, err, "go build of tiny in tiny")
	require.ErrorContains(t, err, "undefined: undefinedThing")
	left, globErr := filepath.Glob(filepath.Join(b.Cache, "bin", "*"))
	require.NoError(t, globErr)
	require.Empty(t, left)

	writeFile(t, b.Root, "tiny/main.go", hello) // a failure must not stick
	_, err = b.binary(t.Context(), program)
	require.NoError(t, err)
}

// Programs of one module come out of one go build, and what it says of packages is counted, not
// kept.
func TestProgramsOfOneModule(t *testing.T) {
	t.Parallel()
	b, builds := tinyModule(t, "package main\n\nimport \"tiny/shared\"\n\nfunc main() { shared.Say() }\n")
	writeFile(t, b.Root, "tiny/shared/shared.go", "package shared\n\nfunc Say() { print(word) }\n\nvar word string\n")
	writeFile(t, b.Root, "tiny/other/main.go", "package main\n\nimport \"tiny/shared\"\n\nfunc main() { shared.Say() }\n")
	b.Count = func(what string, done, total int) {
		require.Contains(t, what, "go build tiny")
		require.LessOrEqual(t, done, total)
	}
	program := binary{
		name: "tiny", module: "tiny", pkg: ".", also: []string{"./other"}, ldflags: []string{"-X", "tiny/shared.word=steam"},
	}
	dir, err := b.binary(t.Context(), program)
	require.NoError(t, err)
	require.EqualValues(t, 1, builds.Load())
	for _, name := range []string{"tiny", "other"} {
		output, err := exec.CommandContext(t.Context(), filepath.Join(dir, name)).CombinedOutput()
		require.NoError(t, err)
		require.Equal(t, "steam", string(output))
	}
	again, err := b.binary(t.Context(), program)
	require.NoError(t, err)
	require.Equal(t, dir, again)
	require.EqualValues(t, 1, builds.Load(), "the cache holds it")

	writeFile(t, b.Root, "tiny/other/main.go", "package main\n\nfunc main() { undefinedThing() }\n")
	_, err = b.binary(t.Context(), program)
	require.ErrorContains(t, err, "undefined: undefinedThing")
	require.NotContains(t, err.Error(), "\ntiny/shared\n")
	left, err := filepath.Glob(filepath.Join(b.Cache, "bin", "*.partial*"))
	require.NoError(t, err)
	require.Empty(t, left, "half a directory is no result")
}

func TestWhatPrintsPackages(t *testing.T) {
	t.Parallel()
	taken := 0
	printed, err := run(exec.CommandContext(t.Context(), "printf",
		`a/b\n# a/b\n./x.go:1:2: undefined: y\nc.d/e\nlast words`),
		func(line string) bool {
			if isPackage(line) {
				taken++
			}
			return isPackage(line)
		})
	require.NoError(t, err)
	require.Equal(t, 2, taken)
	require.Equal(t, "# a/b\n./x.go:1:2: undefined: y\nlast words", printed)
}

func TestCancelledWaitDoesNotSpoilTheBinary(t *testing.T) {
	t.Parallel()
	b, _ := tinyModule(t, hello)
	program := binary{name: "tiny", module: "tiny", pkg: "."}
	var lanes []func()
	for range goLanes {
		release, err := b.lock(t.Context(), goLanes...)
		require.NoError(t, err)
		lanes = append(lanes, release)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 1)
	go func() {
		_, err := b.binary(ctx, program)
		waiting <- err
	}()
	cancel()
	require.ErrorIs(t, <-waiting, context.Canceled)
	lanes[1]() // one free lane is enough
	defer lanes[0]()
	path, err := b.binary(t.Context(), program)
	require.NoError(t, err)
	require.FileExists(t, path)
}

// A cancelled command takes along what it started: here a shell's child that ignores hang-ups and
// holds the output.
func TestCancelEndsTheProcessGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	pidFile := filepath.Join(dir, "pid")
	finished := make(chan error, 1)
	go func() {
		_, err := run(exec.CommandContext(ctx, "sh", "-c", `sleep 300 & echo $! > "$0.new"; mv "$0.new" "$0"; wait`, pidFile),
			nil)
		finished <- err
	}()
	var pid string
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(pidFile)
		pid = string(data)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	cancel()
	select {
	case err := <-finished:
		require.Error(t, err)
	case <-time.After(tidyTime / 2):
		t.Fatal("the command still runs")
	}
	pid = pid[:len(pid)-1]
	require.Eventually(t, func() bool {
		state, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		return err != nil || zombie(string(state))
	}, 5*time.Second, 10*time.Millisecond, "process %s outlived its parent", pid)
}

func TestRunKeepsTheLastLines(t *testing.T) {
	t.Parallel()
	_, err := run(exec.CommandContext(t.Context(), "sh", "-c", "seq 1 50; echo the cause >&2; exit 3"), nil)
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "the cause")
	require.NotContains(t, err.Error(), "\n30\n")
	require.Contains(t, err.Error(), "\n32\n")
}

// zombie reports whether a process that /proc/PID/stat describes has ended and waits for init.
func zombie(stat string) bool {
	_, after, _ := strings.Cut(stat, ") ")
	return strings.HasPrefix(after, "Z")
}
