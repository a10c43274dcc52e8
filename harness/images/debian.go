package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"gitlab.com/steamer/steamer/harness/engine"
)

// suite is the Debian release of the images. Its systemd still boots on cgroup v1, which later
// ones do not by default.
const suite = "bookworm"

// rootfs is a root file system made of Debian packages.
type rootfs struct {
	label    string   // names it in progress and in the cache
	variant  string   // mmdebstrap's variant: "minbase" is a bootable system, "extract" holds the packages' files only
	packages []string // their dependencies come along
	hooks    []string // shell commands run between the essential and the other packages; $1 is the root
}

// arguments are mmdebstrap's, for the packages given; what they say decides the root file system.
func (r rootfs) arguments(packages []string) []string {
	args := []string{
		"--variant=" + r.variant, "--include=" + strings.Join(packages, ","),
		"--dpkgopt=force-unsafe-io", // a crash throws the tree away anyway
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
	}
	for _, hook := range r.hooks {
		args = append(args, "--essential-hook="+hook)
	}
	return append(args, suite)
}

// debianPath is where the cache holds a root file system of these packages, each as name=version.
func (b *Builder) debianPath(r rootfs, packages []string) (string, error) {
	key, err := b.key(r.arguments(packages))
	return filepath.Join(b.Cache, "rootfs", r.label+"-"+key+".tar"), err
}

// debianRoot makes a root file system of exactly these packages, each as name=version, and returns
// it as a tar in the cache. The tar is a build product of its own: it stays valid when only
// programs change.
func (b *Builder) debianRoot(ctx context.Context, r rootfs, packages []string) (string, error) {
	path, err := b.debianPath(r, packages)
	if err != nil {
		return "", err
	}
	if exists(path) {
		return path, nil
	}
	release, err := b.lock(ctx, debianLane)
	if err != nil {
		return "", err
	}
	defer release()
	if exists(path) { // made while this one waited
		return path, nil
	}
	done := b.work("Debian packages of " + r.label)
	work, err := b.emptyDir("rootfs", debianLane)
	if err != nil {
		return "", err
	}
	defer removeTree(work)
	partial := filepath.Join(work, "root.tar")
	if _, err := mmdebstrap(ctx, work, append(r.arguments(packages), partial)...); err != nil {
		return "", fmt.Errorf("mmdebstrap for %s: %w", r.label, err)
	}
	if err := os.Rename(partial, path); err != nil {
		return "", err
	}
	done()
	return path, nil
}

// mmdebstrap runs mmdebstrap with its temporary files in a directory of the cache, and returns
// what it printed.
func mmdebstrap(ctx context.Context, work string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+work)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	isolate(cmd)
	return run(cmd, nil)
}

// emptyDir returns an empty directory of the cache for temporary files. The caller holds a lock
// that makes it the only one who uses the directory: what is in it was left by a process that
// died.
func (b *Builder) emptyDir(kind, name string) (string, error) {
	dir := filepath.Join(b.Cache, kind, name)
	if err := removeTree(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// removeTree removes a directory of the cache, and before that what is mounted in it: removing
// would reach through a mount.
func removeTree(dir string) error {
	if err := engine.UnmountBelow(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// fileOf reads a file of a tar, by its path without a leading slash.
func fileOf(archive, file string) ([]byte, error) {
	in, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	for r := tar.NewReader(in); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s does not hold %s", archive, file)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", archive, err)
		}
		if path.Clean(header.Name) == file && header.Typeflag == tar.TypeReg {
			return io.ReadAll(r)
		}
	}
}
