package load_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// TestRealK6OverTLS drives an https target whose certificate only the fixture's CA vouches for.
// The load records that its requests were answered over HTTP/2, as Runner's are.
func TestRealK6OverTLS(t *testing.T) {
	t.Parallel()
	site := loadtest.Start(t, localbao.Options{TLS: true}, "tls", 4, 2)
	address := site.Server.Address
	require.Contains(t, address, "https://")
	runner := load.Runner{Binary: loadtest.K6(t), Scripts: "../../perf/scripts", Dir: t.TempDir()}
	job := load.Job{
		Name: "tls", Rate: 20, Target: address,
		Fixture: site.Document(t, address, "tls", gitlab.WithCA(string(site.Server.CA))),
		Profile: load.Profile{
			Name: "test", Workload: "fetch", Mode: load.Inline, Duration: document.Duration(3 * time.Second),
			VUs: load.VUs{Initial: 50, Max: 50},
		},
	}
	l, err := runner.Run(t.Context(), job)
	require.NoError(t, err)
	require.Positive(t, l.Fetches)
	require.Equal(t, map[string]int64{"200": l.Fetches}, l.Statuses, "%v", l.Extra)
	require.Equal(t, [2]int64{0, 0}, [2]int64{l.Failed, l.Wrong})
	require.Equal(t, l.Fetches, l.Steps["tls"].Count, "a connection for each fetch")
	require.InDelta(t, l.Attempts.Count, l.Extra["http2"], 0)

	job.Name, job.Fixture = "untrusted", site.Document(t, address, "tls")
	l, err = runner.Run(t.Context(), job)
	require.NoError(t, err)
	require.Equal(t, l.Fetches, l.Failed, "the system's certificates do not vouch for it")
	require.InDelta(t, l.Failed, l.Extra["error_tls"], 0)
}
