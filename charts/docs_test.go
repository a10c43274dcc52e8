package charts_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:generate go tool -modfile=../hack/tools/go.mod helm-docs --chart-search-root=openbao --sort-values-order=file --log-level=warning

// TestReadmeIsFresh compares README.md with what helm-docs makes of README.md.gotmpl and the
// comments in values.yaml.
func TestReadmeIsFresh(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=../hack/tools/go.mod", "helm-docs",
		"--chart-search-root=openbao", "--sort-values-order=file", "--log-level=warning", "--dry-run")
	cmd.Stderr = os.Stderr
	made, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(read(t, "openbao/README.md")), strings.TrimSpace(string(made)),
		"go generate ./charts writes it")
}
