package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// suite is the Debian release of the images. Its systemd still boots on cgroup v1, which later ones do not by default.
const suite = "bookworm"

// rootfs is a root file system made of Debian packages.
type rootfs struct {
	label    string   // names it in progress and in the cache
	variant  string   // mmdebstrap's variant: "minbase" is a bootable system, "extract" holds the packages' files only
	packages []string // their dependencies come along
	hooks    []string // shell commands run between the essential and the other packages; $1 is the root
}

// debianRoot makes a root file system and returns it as a tar in the cache.
// The tar is a build product of its own: it stays valid when only programs change.
func (b *Builder) debianRoot(ctx context.Context, r rootfs) (string, error) {
	key, err := b.key(append(append([]string{suite, r.variant}, r.packages...), r.hooks...))
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.Cache, "rootfs", r.label+"-"+key+".tar")
	if exists(path) {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
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
	partial := strings.TrimSuffix(path, ".tar") + ".partial.tar"
	defer os.Remove(partial)
	args := []string{
		"--variant=" + r.variant, "--include=" + strings.Join(r.packages, ","),
		"--dpkgopt=force-unsafe-io", // a crash throws the tree away anyway
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
	}
	for _, hook := range r.hooks {
		args = append(args, "--essential-hook="+hook)
	}
	cmd := exec.CommandContext(ctx, "mmdebstrap", append(args, suite, partial)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Dir(path))
	if err := run(cmd); err != nil {
		return "", fmt.Errorf("mmdebstrap for %s: %w", r.label, err)
	}
	if err := os.Rename(partial, path); err != nil {
		return "", err
	}
	done()
	return path, nil
}

// debianFile downloads one Debian package, extracts it and returns the path of one of its files in the cache.
func (b *Builder) debianFile(ctx context.Context, pkg, file string) (string, error) {
	dir := filepath.Join(b.Cache, "deb", suite, pkg)
	path := filepath.Join(dir, file)
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
	defer b.work("Debian package " + pkg)()
	if err := os.MkdirAll(b.Cache, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(b.Cache, "deb-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := b.aptDownload(ctx, work, pkg); err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil {
		return "", err
	}
	if len(debs) != 1 {
		return "", fmt.Errorf("apt-get download %s left %d packages instead of one", pkg, len(debs))
	}
	tree := filepath.Join(work, "tree")
	if err := run(exec.CommandContext(ctx, "dpkg-deb", "--extract", debs[0], tree)); err != nil {
		return "", fmt.Errorf("dpkg-deb %s: %w", pkg, err)
	}
	if !exists(filepath.Join(tree, file)) {
		return "", fmt.Errorf("package %s does not hold %s", pkg, file)
	}
	// Renamed into place, so that an interrupted extraction is never taken for a whole one.
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(tree, dir); err != nil {
		return "", err
	}
	return path, nil
}

// keyring is where Debian and its derivatives keep Debian's keys, with the package debian-archive-keyring.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// aptDownload downloads a package of the images' suite into dir, whatever the host's own suite is: apt works in a directory of its own below dir, with
// sources of its own. Proxies and credentials stay the host's.
func (b *Builder) aptDownload(ctx context.Context, dir, pkg string) error {
	apt := filepath.Join(dir, "apt")
	for _, name := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(apt, name), 0o755); err != nil {
			return err
		}
	}
	mirror := debianMirror(ctx)
	for name, text := range map[string]string{"sources.list": sourcesList(mirror), "status": ""} {
		if err := os.WriteFile(filepath.Join(apt, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	options := []string{
		"-o", "Dir::Etc::SourceList=" + filepath.Join(apt, "sources.list"), "-o", "Dir::Etc::SourceParts=/dev/null",
		"-o", "Dir::Etc::Preferences=/dev/null", "-o", "Dir::Etc::PreferencesParts=/dev/null",
		"-o", "Dir::State::Lists=" + filepath.Join(apt, "lists"), "-o", "Dir::State::status=" + filepath.Join(apt, "status"),
		"-o", "Dir::Cache=" + apt, "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none",
	}
	for _, command := range [][]string{{"update", "--error-on=any"}, {"download", pkg}} {
		cmd := exec.CommandContext(ctx, "apt-get", append(slices.Clone(options), command...)...)
		cmd.Dir = dir
		if err := run(cmd); err != nil {
			return fmt.Errorf("apt-get %s from %s, suite %s: %w", strings.Join(command, " "), mirror, suite, err)
		}
	}
	return nil
}

// sourcesList is the suite, signed by Debian.
func sourcesList(mirror string) string {
	return fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror, suite)
}

// defaultMirror is Debian's own.
const defaultMirror = "http://deb.debian.org/debian"

// debianMirror is where the host gets Debian from; Debian's own where it is another distribution, whose mirror does not have the suite.
func debianMirror(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian").Output()
	if err != nil {
		return defaultMirror
	}
	return firstMirror(string(out))
}

// firstMirror is the first repository of what apt-get indextargets lists.
func firstMirror(list string) string {
	for _, line := range strings.Fields(list) {
		if strings.Contains(line, "://") {
			return strings.TrimSuffix(line, "/")
		}
	}
	return defaultMirror
}
