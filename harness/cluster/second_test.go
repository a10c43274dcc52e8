package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestSecondPort: a comparison's cluster maps a second port on the node and the address of the
// first.
func TestSecondPort(t *testing.T) {
	t.Parallel()
	config, err := Options{Name: "a", Config: kindFile(t, mapped), HostPort: 4711, Second: true, SecondPort: 4712}.config(
		"/marks/a")
	require.NoError(t, err)
	ports := config.Nodes[0].ExtraPortMappings
	require.Len(t, ports, 2)
	require.Equal(t, []int32{NodePort, 4711}, []int32{ports[0].ContainerPort, ports[0].HostPort})
	require.Equal(t, []int32{SecondNodePort, 4712}, []int32{ports[1].ContainerPort, ports[1].HostPort})
	require.Equal(t, ports[0].ListenAddress, ports[1].ListenAddress)
	require.Empty(t, config.Nodes[1].ExtraPortMappings)

	err = Options{HostPort: 4711, Second: true, SecondPort: 4711}.portsFree()
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "both cannot have one port")
}
