package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithout(t *testing.T) {
	t.Parallel()
	environ := []string{"A=1", "KUBECONFIG=a", "DOCKER_HOST=", "KUBECONFIGS=x"}
	require.Equal(t, []string{"A=1", "KUBECONFIGS=x"}, without(environ, "KUBECONFIG", "DOCKER_HOST"))
}
