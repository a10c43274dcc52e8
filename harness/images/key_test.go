package images

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func writeFile(t *testing.T, root, name, content string) {
	t.Helper()
	path := filepath.Join(root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

func TestKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(t *testing.T, root string)
		decides bool
	}{
		"nothing": {func(*testing.T, string) {}, false},
		"program": {func(t *testing.T, root string) {
			writeFile(t, root, "module/main.go",
				"package main // changed")
		}, true},
		"module file":  {func(t *testing.T, root string) { writeFile(t, root, "module/go.mod", "module other") }, true},
		"new file":     {func(t *testing.T, root string) { writeFile(t, root, "module/sub/new.go", "package sub") }, true},
		"shell script": {func(t *testing.T, root string) { writeFile(t, root, "module/entrypoint.sh", "exit 1") }, true},
		"test": {
			func(t *testing.T, root string) { writeFile(t, root, "module/main_test.go", "package main") },
			false,
		},
		"test data": {
			func(t *testing.T, root string) { writeFile(t, root, "module/testdata/x.go", "package x") },
			false,
		},
		"document":       {func(t *testing.T, root string) { writeFile(t, root, "module/README.md", "# Other") }, false},
		"k6 script":      {func(t *testing.T, root string) { writeFile(t, root, "module/script.js", "1") }, false},
		"file elsewhere": {func(t *testing.T, root string) { writeFile(t, root, "other/main.go", "package main") }, false},
		"renamed file": {func(t *testing.T, root string) {
			require.NoError(t, os.Rename(filepath.Join(root, "module/main.go"), filepath.Join(root, "module/start.go")))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := filepath.Join(t.TempDir(), "testdata", "tree") // where the tree lies must not matter
			writeFile(t, root, "module/main.go", "package main")
			writeFile(t, root, "module/go.mod", "module m")
			writeFile(t, root, "module/README.md", "# M")
			b := &Builder{Root: root}
			before, err := b.key([]string{"part"}, "module")
			require.NoError(t, err)
			require.Regexp(t, "^[0-9a-f]{12}$", before)
			test.change(t, root)
			after, err := b.key([]string{"part"}, "module")
			require.NoError(t, err)
			require.Equal(t, test.decides, before != after)
		})
	}
}

func TestKeyCoversItsStrings(t *testing.T) {
	t.Parallel()
	b := &Builder{Root: t.TempDir()}
	keys := map[string]bool{}
	for _, parts := range [][]string{nil, {"a"}, {"b"}, {"a", "b"}, {"ab"}, {"a\nb"}} {
		key, err := b.key(parts)
		require.NoError(t, err)
		keys[key] = true
	}
	require.Len(t, keys, 6)
}

func TestKeyNamesTheMissingInput(t *testing.T) {
	t.Parallel()
	b := &Builder{Root: t.TempDir()}
	_, err := b.key(nil, "harness/images/gone")
	require.ErrorContains(t, err, "harness/images/gone")
	require.ErrorIs(t, err, os.ErrNotExist)
}
