package chart_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

const openbao = "../../charts/openbao"

// pack makes an archive as helm package does.
func pack(t *testing.T, dir string) string {
	t.Helper()
	loaded, err := loader.LoadDir(dir)
	require.NoError(t, err)
	path, err := chartutil.Save(loaded, t.TempDir())
	require.NoError(t, err)
	return path
}

// TestDigest: directory and archive are the same chart; a changed byte is another.
func TestDigest(t *testing.T) {
	t.Parallel()
	directory, err := chart.Load(openbao)
	require.NoError(t, err)
	archive, err := chart.Load(pack(t, openbao))
	require.NoError(t, err)
	require.Equal(t, directory.Info().Digest, archive.Info().Digest)
	require.Equal(t, "openbao", archive.Info().Name)

	changed := filepath.Join(t.TempDir(), "openbao")
	require.NoError(t, os.CopyFS(changed, os.DirFS(openbao)))
	notes := filepath.Join(changed, "templates/NOTES.txt")
	text, err := os.ReadFile(notes)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(notes, append(text, '\n'), 0o600))
	other, err := chart.Load(changed)
	require.NoError(t, err)
	require.NotEqual(t, directory.Info().Digest, other.Info().Digest)
}

func TestMerge(t *testing.T) {
	t.Parallel()
	type values = map[string]any
	for name, tc := range map[string]struct{ base, overlay, want values }{
		"empty":    {values{}, values{}, values{}},
		"nil":      {nil, nil, values{}},
		"adds":     {values{"a": 1}, values{"b": 2}, values{"a": 1, "b": 2}},
		"replaces": {values{"a": 1}, values{"a": 2}, values{"a": 2}},
		"goes deep": {
			values{"a": values{"x": 1, "y": 1}},
			values{"a": values{"y": 2}},
			values{"a": values{"x": 1, "y": 2}},
		},
		"map over scalar":     {values{"a": 1}, values{"a": values{"x": 1}}, values{"a": values{"x": 1}}},
		"scalar over map":     {values{"a": values{"x": 1}}, values{"a": 1}, values{"a": 1}},
		"lists are not mixed": {values{"a": []any{1, 2}}, values{"a": []any{3}}, values{"a": []any{3}}},
		"null stays":          {values{"a": 1}, values{"a": nil}, values{"a": nil}},
		// Helm takes it as: remove the chart's default
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := chart.Merge(tc.base, nil)
			require.Equal(t, tc.want, chart.Merge(tc.base, tc.overlay))
			require.Equal(t, base, chart.Merge(tc.base, nil), "the base was changed")
		})
	}
}

// TestSchema has the reference chart refuse what its schema forbids, with the value named.
func TestSchema(t *testing.T) {
	t.Parallel()
	for assignment, want := range map[string]string{
		"replicaCount=many": "replicaCount", "replicaCount=-1": "replicaCount", "image.pullPolicy=Sometimes": "pullPolicy",
		"moon=1":       "moon",
		"image.moon=1": "moon",
	} {
		t.Run(assignment, func(t *testing.T) {
			t.Parallel()
			c, err := chart.Load(openbao)
			require.NoError(t, err)
			values, err := chart.ReadOverrides(nil, []string{assignment})
			require.NoError(t, err)
			_, err = c.Render(chart.Rendering{Release: "openbao", Namespace: "x"}, values)
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, want)
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	noArchive := filepath.Join(t.TempDir(), "x.tgz")
	require.NoError(t, os.WriteFile(noArchive, []byte("no archive"), 0o600))
	for _, source := range []string{"/nowhere", t.TempDir(), noArchive, ""} {
		_, err := chart.Load(source)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%q: %v", source, err)
		require.ErrorContains(t, err, "hint: ")
	}
}

func FuzzParseValues(f *testing.F) {
	for _, seed := range []string{"", "a: 1", "- a", "a: {b: c}", "a: 1\na: 2", "\t", "&a [*a]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := chart.ParseValues("fuzz", []byte(text))
		if err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			require.Nil(t, values)
		}
	})
}

// TestDigestValues: the same values have the same digest however they came, and none have none.
func TestDigestValues(t *testing.T) {
	t.Parallel()
	file, err := chart.ParseValues("x", []byte("b: {d: 1, c: two}\na: [1]\n"))
	require.NoError(t, err)
	set, err := chart.ReadOverrides(nil, []string{"a[0]=1,b.c=two,b.d=1"})
	require.NoError(t, err)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, chart.DigestValues(file))
	require.Equal(t, chart.DigestValues(file), chart.DigestValues(set))
	require.NotEqual(t, chart.DigestValues(file), chart.DigestValues(chart.Merge(set, map[string]any{"e": true})))
	require.Empty(t, chart.DigestValues(nil))
	require.Empty(t, chart.DigestValues(map[string]any{}))
}
