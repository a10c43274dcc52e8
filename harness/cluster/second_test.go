package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

// TestShardPorts: further ports in a row lead to further node ports, and no other cluster's mark
// claims one of them.
func TestShardPorts(t *testing.T) {
	t.Parallel()
	k, e, _ := newFake(t, someone(t))
	theirs := markOf(k.me)
	port, err := FreePort()
	require.NoError(t, err)
	theirs.UID, theirs.HostPort, theirs.ShardPort, theirs.Shards = 1001, port, port+2, 2
	e.node("a", theirs.source("/b"))
	found, err := k.List(t.Context())
	require.NoError(t, err)
	opts, err := k.choose(Options{Config: kindFile(t, mapped), Shards: 3}, found)
	require.NoError(t, err)
	for shard := range 3 {
		require.NotContains(t, []int{port, port + 2, port + 3, opts.HostPort}, opts.shardPort+shard)
	}
	config, err := opts.config("/marks/a")
	require.NoError(t, err)
	ports := config.Nodes[0].ExtraPortMappings
	require.Len(t, ports, 4)
	for shard := range 3 {
		require.EqualValues(t, FirstShardNodePort+shard, ports[1+shard].ContainerPort)
		require.EqualValues(t, opts.shardPort+shard, ports[1+shard].HostPort)
		require.Equal(t, ports[0].ListenAddress, ports[1+shard].ListenAddress)
	}
}

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
