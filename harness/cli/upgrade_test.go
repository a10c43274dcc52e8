package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

func TestUpgradePredicts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unknown := write(t, dir, "unknown.yaml", "onlyHere: 1\n")
	older := filepath.Join(dir, "openbao")
	require.NoError(t, os.CopyFS(older, os.DirFS("../../charts/openbao")))
	write(t, older, "templates/extra.yaml",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: openbao-extra}\nstringData: {token: abc}\n")
	for name, tc := range map[string]struct {
		args []string
		code exit.Code
		want []string
	}{
		"release": {[]string{"--from", "0.1.0"}, exit.Pass, []string{
			"0.1.0 → head", "nothing lost", "Recreate",
			"PASS",
		}},
		"markdown": {
			[]string{"--from", "0.1.0", "--markdown"},
			exit.Pass,
			[]string{"| 0.1.0 → head | nothing lost |"},
		},
		"pairs": {[]string{"--values-pairs"}, exit.Pass, []string{
			"head tls → head networkpolicy",
			"head networkpolicy → head tls",
		}},
		"a Secret lost": {
			[]string{"--from", older, "--to", "head"},
			exit.Fail,
			[]string{"predicted secret-lost: Secret/openbao-extra", "FAIL"},
		},
		"no such release": {[]string{"--from", "9.9.9"}, exit.Invalid, []string{"--from 9.9.9", "choose from 0.1.0"}},
		"no release":      {nil, exit.Invalid, []string{"--from", "--values-pairs"}},
		"no such values": {
			[]string{"--from", "0.1.0", "--to-values", "/nowhere.yaml"},
			exit.Invalid,
			[]string{"/nowhere.yaml"},
		},
		"values of one end": {
			[]string{"--from", "0.1.0", "--from-values", unknown},
			exit.Invalid,
			[]string{"upgrade 0.1.0 unknown.yaml -> head: 0.1.0", "onlyHere"},
		},
		"values of the other end": {
			[]string{"--from", "head", "--to", "0.1.0", "--to-values", unknown},
			exit.Invalid,
			[]string{"upgrade head -> 0.1.0 unknown.yaml: 0.1.0", "onlyHere"},
		},
		"older image": {
			[]string{"--from", "0.1.0", "--from-image", "r/openbao:2.6.0", "--image", "openbao=r/openbao:2.4.0"},
			exit.Invalid,
			[]string{"older than the data"},
		},
		"older image of the end alone": {
			[]string{"--from", "0.1.0", "--from-image", "r/openbao:2.6.0", "--to-image", "r/openbao:2.4.0"},
			exit.Invalid,
			[]string{"older than the data"},
		},
		"no tag": {
			[]string{"--from", "0.1.0", "--to-image", "r/openbao"},
			exit.Invalid,
			[]string{"--to-image r/openbao"},
		},
		"no such registry": {
			[]string{"--from", "9.9.9", "--releases", "oci://127.0.0.1:1/charts"},
			exit.Invalid,
			[]string{"--from 9.9.9"},
		},
		"format":         {[]string{"--from", "0.1.0", "-o", "xml"}, exit.Invalid, []string{"--format xml"}},
		"two topologies": {[]string{"--from", "0.1.0", "--topology", "all"}, exit.Invalid, []string{"--topology"}},
		"negative":       {[]string{"--from", "0.1.0", "--edges", "-1"}, exit.Invalid, []string{"--edges"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			work := t.TempDir()
			got := steamer(t, work, append([]string{"upgrade", "--predict"}, tc.args...)...)
			require.Equal(t, tc.code, got.code, got.stdout+got.stderr)
			for _, want := range tc.want {
				require.Contains(t, got.stdout+got.stderr, want)
			}
			if tc.code == exit.Invalid { // and nothing is touched without --predict
				got = steamer(t, work, append([]string{"upgrade"}, tc.args...)...)
				require.Equal(t, tc.code, got.code, got.stdout+got.stderr)
				require.NotContains(t, got.stdout+got.stderr, "▶", "no step begins")
			}
			left, err := os.ReadDir(work)
			require.NoError(t, err)
			require.Empty(t, left, "a prediction writes no file, and neither does invalid input")
		})
	}
	data, err := os.ReadFile("../../scenarios/testdata/openbao-0.1.0.tgz")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "openbao-0.1.0.tgz"), data, 0o600))
	write(t, dir, "index.yaml", "apiVersion: v1\nentries:\n  openbao:\n"+
		"  - {apiVersion: v2, name: openbao, version: 0.1.0, urls: [openbao-0.1.0.tgz]}\n")
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	repository := []string{"upgrade", "--predict", "--releases", server.URL, "--from"}
	found := steamer(t, dir, append(repository, "0.1.0")...)
	require.Equal(t, exit.Pass, found.code, found.stdout+found.stderr)
	missing := steamer(t, dir, append(repository, "0.0.9")...)
	require.Equal(t, exit.Invalid, missing.code)
	require.Contains(t, missing.stderr, "--from 0.0.9")

	got := steamer(t, dir, "upgrade", "--dry-run", "--from", "0.1.0", "-o", "json")
	var r upgrade.Report
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &r))
	require.Equal(t, result.Pass, r.Verdict)
	require.True(t, r.Predicted)
	require.Equal(t, "0.1.0", r.Edges[0].FromChart.Version)
}
