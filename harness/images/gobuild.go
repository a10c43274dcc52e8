package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// binary is a program built by plain go build from a module in the source tree.
type binary struct {
	name    string   // file name of the result
	module  string   // directory of the module, under Root
	pkg     string   // package to build, relative to the module or an import path it requires as a tool
	ldflags []string // further linker flags
	inputs  []string // further inputs under Root besides the module's directory
}

// binary returns the path of a program in the cache, building it first if need be.
func (b *Builder) binary(ctx context.Context, bin binary) (string, error) {
	key, err := b.key(append([]string{bin.pkg}, bin.ldflags...), append([]string{bin.module}, bin.inputs...)...)
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
	release, err := b.lock(ctx, goLane)
	if err != nil {
		return "", err
	}
	defer release()
	if exists(path) { // built while this one waited
		return path, nil
	}
	done := b.work("go build " + bin.name)
	partial := path + ".partial"
	defer os.Remove(partial)
	// The linker drops debugging information in any case; a compiler that never makes it needs a
	// seventh less CPU.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false",
		"-ldflags", strings.Join(append([]string{"-s", "-w"}, bin.ldflags...), " "), "-o", partial, bin.pkg)
	cmd.Dir = filepath.Join(b.Root, bin.module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOWORK=off",
		"GOFLAGS=-mod=readonly")
	if _, err := run(cmd); err != nil {
		return "", fmt.Errorf("go build of %s in %s: %w", bin.name, bin.module, err)
	}
	if err := os.Rename(partial, path); err != nil {
		return "", err
	}
	done()
	return path, nil
}
