package topology

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
)

// TestSuffix: two environments of one topology share no name.
func TestSuffix(t *testing.T) {
	t.Parallel()
	c, err := chart.Load("../../charts/openbao")
	require.NoError(t, err)
	dialect, err := DialectNamed("gitlab")
	require.NoError(t, err)
	for _, name := range Names() {
		var seen []string
		for i, suffix := range []string{"", "-b"} {
			spec := Spec{
				Topology: name, Run: "r", Chart: c, Dialect: dialect, Images: Images{OpenBao: "x/openbao:1"},
				Suffix: suffix, NodePort: 30820 + i,
			}
			e, err := New(&cluster.Cluster{Name: "c", HostPort: 1}, nil, spec, nil)
			require.NoError(t, err)
			for _, used := range append(e.namespaces(), e.MachineName(), e.Audience(), e.Issuer.URL(),
				e.inputs().Database.Host) {
				require.NotContains(t, seen, used)
				seen = append(seen, used)
			}
			require.Equal(t, namespacesWith(suffix, name), e.namespaces())
		}
	}
}
