package doctor

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bare makes this process see a machine that has none of the programs and no engine.
func bare(t *testing.T) {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "docker.sock"))
}

func names(list []requirement) []string {
	var names []string
	for _, r := range list {
		names = append(names, r.Name)
	}
	return names
}

func TestMissing(t *testing.T) {
	bare(t)
	missing := names(lacking(t.Context(), ForRun))
	require.Subset(t, missing, []string{"container engine", "mmdebstrap", "dpkg-deb and apt-get"})
	require.NotContains(t, missing, "PostgreSQL server", "only tests need it")
	require.Subset(t, []string{"PostgreSQL server"}, names(lacking(t.Context(), ForTest)))
}

func TestProgramsFindsTheAdministrators(t *testing.T) {
	bare(t)
	require.True(t, programs("ldconfig"), "in /usr/sbin on Debian and Ubuntu, on the PATH or not")
	require.False(t, programs("ldconfig", "no-such-program"))
	require.True(t, programs())
}

func TestSetupSaysWhatItCannotInstall(t *testing.T) {
	bare(t)
	var out bytes.Buffer
	err := Setup(t.Context(), &out, ForRun)
	require.Equal(t, exit.Environment, exit.CodeOf(err))
	require.ErrorContains(t, err, "apt-get install --yes --no-install-recommends")
	for _, r := range lacking(t.Context(), ForRun) {
		require.Contains(t, out.String(), "missing: "+r.Name)
		for _, p := range r.Packages {
			require.ErrorContains(t, err, p)
		}
	}
	require.NotContains(t, out.String(), "… apt-get")
}

// TestSetupLeavesOut: what is optional and cannot be installed is left out, and said.
func TestSetupLeavesOut(t *testing.T) {
	bare(t)
	var out bytes.Buffer
	require.NoError(t, Setup(t.Context(), &out, ForBench))
	require.Contains(t, out.String(), "left out: wrk")
	require.Contains(t, out.String(), "nothing is missing")
}

func TestSetupWithNothingMissing(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, Setup(t.Context(), &out))
	require.Equal(t, "nothing is missing\n", out.String())
}

func TestExamineRequirement(t *testing.T) {
	t.Parallel()
	absent := func(context.Context) bool { return false }
	there := func(context.Context) bool { return true }
	for name, test := range map[string]struct {
		requirement requirement
		ok          bool
		hint        string
	}{
		"there": {
			requirement{Name: "x", Packages: []string{"p"}, For: []Purpose{ForRun}, Present: there},
			true,
			"",
		},
		"missing for runs": {
			requirement{Name: "x", Packages: []string{"p", "q"}, For: []Purpose{ForRun}, Present: absent},
			false, "steamer setup, or install p, q",
		},
		"missing for tests": {
			requirement{Name: "x", Packages: []string{"p"}, For: []Purpose{ForTest}, Present: absent},
			true,
			"steamer setup --tests, or install p",
		},
		"missing for bench": {
			requirement{Name: "x", Packages: []string{"p"}, For: []Purpose{ForBench}, Present: absent},
			true, "steamer setup --bench, or install p",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := examineRequirement(t.Context(), test.requirement)
			require.Equal(t, test.ok, f.OK)
			require.Equal(t, test.hint, f.Hint)
		})
	}
}

func TestExamineDisk(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	t.Chdir(dir)
	existing := examineDisk(dir)
	require.Contains(t, existing.Detail, "GiB free for "+dir)
	for name, cache := range map[string]string{
		"missing": filepath.Join(dir, "not", "yet"), "missing relative": "cache",
		"relative": ".",
	} {
		f := examineDisk(cache)
		require.Contains(t, f.Detail, "GiB free for "+cache, name)
		require.Equal(t, existing.OK, f.OK, name)
	}
	inFile := examineDisk(filepath.Join(file, "cache"))
	require.False(t, inFile.OK)
	require.Contains(t, inFile.Hint, "--cache")
}

// TestExaminePort: a port that is in use keeps no run from starting, which takes the next.
func TestExaminePort(t *testing.T) {
	t.Parallel()
	port, err := cluster.FreePort()
	require.NoError(t, err)
	if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d",
		port)); err == nil { // else another process was quicker
		defer listener.Close()
	}
	f := examinePort()
	require.True(t, f.OK, f.Detail)
	require.NotContains(t, f.Detail, strconv.Itoa(port))
}

func TestExamineModulesAsksTheProxy(t *testing.T) {
	t.Setenv("GOPROXY", "off") // a filled module cache must not answer in its place
	f := examineModules(t.Context())
	require.False(t, f.OK)
	require.Contains(t, f.Detail, "GOPROXY=off")
	require.Contains(t, f.Hint, "GOPROXY")

	t.Setenv("PATH", t.TempDir())
	f = examineModules(t.Context())
	require.False(t, f.OK)
	require.Contains(t, f.Detail, "executable file not found")
}

func TestExamineNamesEverything(t *testing.T) {
	bare(t)
	findings := Examine(t.Context(), t.TempDir())
	var all []string
	for _, f := range findings {
		all = append(all, f.Name)
		require.NotEmpty(t, f.Detail, f.Name)
		if !f.OK {
			require.NotEmpty(t, f.Hint, "%s has to say how to fix it", f.Name)
		}
	}
	require.Equal(t, []string{
		"engine", "cgroup", "capabilities", "open files", "inotify", "disk", "port", "Go modules",
		"registries",
	}, all[:9])
	require.Equal(t, names(requirements()), all[9:])
	require.False(t, strings.HasPrefix(findings[0].Detail, "docker"), "the engine that DOCKER_HOST names does not answer")
}
