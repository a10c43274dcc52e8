package images

import (
	"archive/tar"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInstalled(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"libc6=2.36-9+deb12u14", "libcap2=1:2.66-4+deb12u3+b1", "libgcrypt20=1.10.1-3+deb12u1",
		"tar=1.34-2",
	}, installed(`I: simulate downloading packages with apt...
Inst libcap2 (1:2.66-4+deb12u3+b1 Debian:12.15/oldstable [amd64])
Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64]) []
Conf libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])
Inst libgcrypt20 (1.10.1-3+deb12u1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64])
Inst tar [1.34-1] (1.34-2 Debian:12.15/oldstable [amd64])
Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])
Inst nothing
`))
	require.Empty(t, installed("E: unable to locate package"))
}

// TestEveryDebianImageSaysItsPackages: a recipe that makes a root file system names it, so that
// the tag covers it; arguments hold packages and hooks.
func TestEveryDebianImageSaysItsPackages(t *testing.T) {
	t.Parallel()
	labels := map[string]rootfs{}
	b := &Builder{Cache: t.TempDir()}
	for _, r := range b.recipes() {
		for _, root := range r.debian {
			if same, known := labels[root.label]; known {
				require.Equal(t, same, root, "images share a root file system, and no other one has its label")
			}
			labels[root.label] = root
			require.Contains(t, root.arguments([]string{"a=1"}), "--include=a=1")
			for _, hook := range root.hooks {
				require.Contains(t, root.arguments(nil), "--essential-hook="+hook)
			}
		}
	}
	require.ElementsMatch(t, []string{"node", "kube-proxy", "busybox", "postgresql"}, slices.Collect(maps.Keys(labels)))
	one, err := b.debianPath(nodeRoot(), []string{"a=1"})
	require.NoError(t, err)
	other, err := b.debianPath(nodeRoot(), []string{"a=2"})
	require.NoError(t, err)
	require.NotEqual(t, one, other)
}

func TestFileOf(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.tar")
	out, err := os.Create(path)
	require.NoError(t, err)
	w := tar.NewWriter(out)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "./bin/", Typeflag: tar.TypeDir, Mode: 0o755}))
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "./bin/busybox", Typeflag: tar.TypeReg, Size: 4, Mode: 0o755}))
	_, err = w.Write([]byte("\x7fELF"))
	require.NoError(t, errors.Join(err, w.Close(), out.Close()))
	data, err := fileOf(path, "bin/busybox")
	require.NoError(t, err)
	require.Equal(t, "\x7fELF", string(data))
	for _, missing := range []string{"bin", "busybox"} {
		_, err = fileOf(path, missing)
		require.ErrorContains(t, err, "does not hold "+missing)
	}
	require.NoError(t, os.Truncate(path, 1024))
	_, err = fileOf(path, "bin/busybox")
	require.Error(t, err)
}

// FuzzKept: whatever a kept file holds is refused, or can be the root's.
func FuzzKept(f *testing.F) {
	for _, text := range []string{
		"", "{", `{"packages":null}`, `{"packages":["systemd=252","libc6=1:2"]}`,
		`{"packages":["systemd=1 --hook"]}`,
	} {
		f.Add(text)
	}
	r := rootfs{label: "node", packages: []string{"systemd"}}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "kept")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		if k := readKept(path, r); k != nil {
			require.NotEmpty(t, k.Packages)
			require.NotContains(t, strings.Join(k.Packages, ""), ",", "a comma would begin another package")
			require.NotContains(t, strings.Join(k.Packages, ""), " ")
		}
	})
}
