package ociruntime

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const process = `{"args":["sh"],"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"effective":["CAP_SYS_RESOURCE"],` +
	`"ambient":null},"rlimits":[{"type":"RLIMIT_NOFILE","soft":1024,"hard":1048576},{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}]}`

func limited() Limits {
	return Limits{Capabilities: func(name string) bool { return name != "CAP_SYS_RESOURCE" }, NoFile: 20000}
}

func TestRewriteForAsksForNoMoreThanTheHostHas(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, document string }{
		"create reads the bundle":     {"config.json", `{"ociVersion":"1.0.2","process":` + process + `}`},
		"exec reads the process file": {"process.json", process},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, tc.file)
			require.NoError(t, os.WriteFile(file, []byte(tc.document), 0o600))
			args := []string{"--root", "/run/x", "--log", "/l", "create", "--bundle", dir, "id"}
			if tc.file == "process.json" {
				args = []string{"--systemd-cgroup", "exec", "-d", "--process", file, "id"}
			}
			require.NoError(t, rewriteFor(args, limited()))

			data, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NotContains(t, string(data), "CAP_SYS_RESOURCE")
			require.Contains(t, string(data), `"bounding":["CAP_CHOWN"]`)
			require.Contains(t, string(data), `"hard":20000`)
			require.Contains(t, string(data), `"soft":1024`)
			require.Contains(t, string(data), "18446744073709551615", "other limits keep their exact value")
		})
	}
}

func TestRewriteForLeavesOtherCommandsAlone(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--root", "create", "state", "id"}, {"delete", "--force", "id"}, {"--version"}, nil} {
		require.NoError(t, rewriteFor(args, limited()), "%v", args)
	}
}

func TestRewriteForNamesABrokenSpecification(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o600))
	require.ErrorContains(t, rewriteFor([]string{"run", "-b", dir, "id"}, limited()), "config.json")
}

func TestHostKnowsThisProcess(t *testing.T) {
	t.Parallel()
	host, err := Host()
	require.NoError(t, err)
	require.Positive(t, host.NoFile)
	for _, name := range Missing() {
		require.False(t, host.Capabilities(name))
	}
}

func FuzzRewriteProcess(f *testing.F) {
	f.Add([]byte(process))
	f.Add([]byte(`{"rlimits":[{"type":"RLIMIT_NOFILE","hard":"x"}],"capabilities":{"bounding":[1,null]}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		file := filepath.Join(t.TempDir(), "p.json")
		require.NoError(t, os.WriteFile(file, document, 0o600))
		if rewriteFor([]string{"exec", "--process", file, "id"}, limited()) != nil {
			return
		}
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, json.Valid(data))
	})
}
