package images

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// binary is a program built by plain go build from a module in the source tree.
type binary struct {
	name    string   // file name of the result
	module  string   // directory of the module, under Root
	pkg     string   // package to build, relative to the module or an import path it requires as a tool
	ldflags []string // further linker flags
	inputs  []string // further inputs under Root besides the module's directory
}

type built struct {
	once sync.Once
	path string
	err  error
}

// Binary returns the path of a program in the cache, building it first if need be.
func (b *Builder) binary(ctx context.Context, bin binary) (string, error) {
	entry, _ := b.once.LoadOrStore(bin.name, &built{})
	result := entry.(*built)
	result.once.Do(func() { result.path, result.err = b.buildBinary(ctx, bin) })
	return result.path, result.err
}

func (b *Builder) buildBinary(ctx context.Context, bin binary) (string, error) {
	key, err := b.key(append([]string{bin.pkg}, bin.ldflags...), append([]string{bin.module}, bin.inputs...)...)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.Cache, "bin")
	path := filepath.Join(dir, bin.name+"-"+key)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	b.goLane.Lock()
	defer b.goLane.Unlock()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	done := b.work("go build " + bin.name)
	partial := path + ".partial"
	defer os.Remove(partial)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", strings.Join(append([]string{"-s", "-w"}, bin.ldflags...), " "), "-o", partial, bin.pkg)
	cmd.Dir = filepath.Join(b.Root, bin.module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOWORK=off", "GOFLAGS=-mod=readonly")
	if err := run(cmd); err != nil {
		return "", fmt.Errorf("go build of %s in %s: %w", bin.name, bin.module, err)
	}
	done()
	return path, os.Rename(partial, path)
}

// run runs a command; its error ends with the last lines of what the command printed.
func run(cmd *exec.Cmd) error {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(output.String()), "\n")
		return fmt.Errorf("%w\n%s", err, strings.Join(lines[max(0, len(lines)-20):], "\n"))
	}
	return nil
}
