package audit

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// perFetch is how many records a fetch leaves, see fetch-four-records.
const perFetch = 4

// sinkDelay is how long a slow sink takes for a record. A fetch waits for its four records, so it
// takes four times that longer.
const sinkDelay = 200 * time.Millisecond

func httpSink() scenario.Scenario {
	return scenario.Scenario{
		ID:       "audit/http-sink",
		Subject:  scenario.SubjectChart,
		Title:    "GitLab receives every audit record, and fetches work while its receiver fails",
		Protects: "pipelines from a slow or failing GitLab, and the audit trail from unnoticed gaps",
		Source: "openbao/openbao, vault/audit_broker.go: one working device is enough; vault #5361: a black hole froze " +
			"every request; openbao #2627",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureGitLab, scenario.FeatureAuditHTTP,
			scenario.Change(scenario.ChangeAuditHTTP),
		},
		Kind:   scenario.Fault,
		Budget: 10 * time.Minute,
		// Catches: a sink without a token, a request that waits for the sink forever, a device
		// whose failure refuses requests.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			defer withSink(ctx, t, env, env.AuditSink.URL)()
			before := received(ctx, t, env)
			fetchAll(ctx, t, env, 0)
			env.Await(ctx, t, "the sink has every record", env.Timeouts.Labels, func(ctx context.Context) error {
				if got := received(ctx, t, env) - before; got < perFetch*sinkFetches {
					return fmt.Errorf("received %d records, want %d", got, perFetch*sinkFetches)
				}
				return nil
			})
			for _, state := range []struct {
				name  string
				fault scenario.Failure
				more  time.Duration // that a fetch may take longer
			}{
				{"slow", scenario.Failure{Delay: sinkDelay}, perFetch * sinkDelay},
				{"failing", scenario.Failure{Status: http.StatusInternalServerError}, 0},
				{"refusing", scenario.Failure{Status: http.StatusUnauthorized}, 0},
				{"back", scenario.Failure{}, 0},
				{"black-holed", scenario.Failure{Blackhole: true}, env.Timeouts.Fetch},
			} {
				t.Logf("the sink is %s", state.name)
				require.NoError(t, env.GitLab.Disturb(ctx, map[string]scenario.Failure{scenario.EndpointAudit: state.fault}))
				fetchAll(ctx, t, env, state.more)
			}
		},
	}
}
