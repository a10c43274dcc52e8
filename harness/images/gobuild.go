package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
)

// binary is a program built by plain go build from a module in the source tree.
type binary struct {
	name    string   // file name of the result
	module  string   // directory of the module, under Root
	pkg     string   // package to build, relative to the module or an import path it requires as a tool
	ldflags []string // further linker flags
	inputs  []string // further inputs under Root besides the module's directory
	// Further packages to build in the same go build. What the programs share is compiled once, and
	// one is linked while others compile. The result is a directory then, which holds each program
	// under the last element of its package's path.
	also []string
}

func (bin binary) packages() []string { return append([]string{bin.pkg}, bin.also...) }

// binary returns the path of a program, or of a directory of programs, in the cache, building it
// first if need be.
func (b *Builder) binary(ctx context.Context, bin binary) (string, error) {
	key, err := b.key(append(bin.packages(), bin.ldflags...), append([]string{bin.module}, bin.inputs...)...)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.Cache, "bin")
	path := filepath.Join(dir, bin.name+"-"+key)
	if exists(path) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	built, err := b.lock(ctx, "build-"+bin.name)
	if err != nil {
		return "", err
	}
	defer built()
	if exists(path) { // built while this one waited
		return path, nil
	}
	release, err := b.lock(ctx, goLanes...)
	if err != nil {
		return "", err
	}
	defer release()
	done := b.work("go build " + bin.name)
	partial := path + ".partial"
	defer os.RemoveAll(partial)
	if err := b.compile(ctx, bin, partial); err != nil {
		return "", fmt.Errorf("go build of %s in %s: %w", bin.name, bin.module, err)
	}
	if err := os.Rename(partial, path); err != nil {
		return "", err
	}
	done()
	return path, nil
}

// compile builds a program, or a directory of programs, at the path out.
func (b *Builder) compile(ctx context.Context, bin binary, out string) error {
	if len(bin.also) > 0 {
		out += "/" // go build makes a directory
	}
	command := func(arguments ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "go", append(arguments, bin.packages()...)...)
		cmd.Dir = filepath.Join(b.Root, bin.module)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOWORK=off",
			"GOFLAGS=-mod=readonly")
		return cmd
	}
	var total atomic.Int64
	counted := make(chan struct{})
	go func() { // why it cannot be counted, the build reports
		defer close(counted)
		packages := int64(0)
		count := func(line string) bool {
			if isPackage(line) {
				packages++
			}
			return true
		}
		if _, err := run(command("list", "-deps"), count); err == nil {
			total.Store(packages)
		}
	}()
	defer func() { <-counted }()
	compiled := 0
	// The linker drops debugging information in any case; a compiler that never makes it needs a
	// seventh less CPU.
	_, err := run(command("build", "-v", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false",
		"-ldflags", strings.Join(append([]string{"-s", "-w"}, bin.ldflags...), " "), "-o", out), func(line string) bool {
		if !isPackage(line) {
			return false
		}
		compiled++
		if most := int(total.Load()); b.Count != nil && most > 0 {
			b.Count("go build "+bin.name+": packages, at most", compiled, most)
		}
		return true
	})
	return err
}

// isPackage tells the name of a package, as go list and go build -v print it, from messages.
func isPackage(line string) bool { return line != "" && !strings.ContainsAny(line, " \t") }
