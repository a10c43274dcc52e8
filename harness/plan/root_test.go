package plan

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// tree makes a source tree with a directory deep inside and returns both.
func tree(t *testing.T, goMod string) (root, deep string) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	deep = filepath.Join(root, "harness", "cmd")
	require.NoError(t, os.MkdirAll(deep, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte(goMod), 0o600))
	return root, deep
}

func TestFindRootAboveTheWorkingDirectory(t *testing.T) {
	root, deep := tree(t, module+"\n\ngo 1.26\n")
	require.NoError(t, os.WriteFile(filepath.Join(root, "harness", "go.mod"), []byte(module+"/harness\n"), 0o600))
	t.Chdir(deep)
	found, err := FindRoot("")
	require.NoError(t, err)
	require.Equal(t, root, found, "a nested module is not the root")
}

func TestFindRootNamed(t *testing.T) {
	root, deep := tree(t, module+"\r\n")
	t.Chdir(deep)
	found, err := FindRoot("../..")
	require.NoError(t, err)
	require.Equal(t, root, found, "absolute, whatever was passed")

	_, err = FindRoot(deep)
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, "--root "+deep)
	require.ErrorContains(t, err, "hint: ")
}

func TestFindRootNowhere(t *testing.T) {
	_, deep := tree(t, "module example.org/other\n")
	t.Chdir(deep)
	_, err := FindRoot("")
	require.Equal(t, exit.Invalid, exit.CodeOf(err))
	require.ErrorContains(t, err, deep)
	require.ErrorContains(t, err, "--root DIR")
}
