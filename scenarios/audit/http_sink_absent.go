package audit

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func httpSinkAbsent() scenario.Scenario {
	return scenario.Scenario{
		ID:       "audit/http-sink-absent",
		Subject:  scenario.SubjectChart,
		Title:    "Pods start, unseal and serve while GitLab's audit receiver is unreachable",
		Protects: "the start of a whole site, in which OpenBao starts before GitLab",
		Source:   "gitlab#582828: OpenBao before Webservice; openbao #2627 and #2628, skip_test",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureAuditHTTP,
			scenario.Change(scenario.ChangeAuditHTTP),
		},
		Kind:   scenario.Fault,
		Budget: 10 * time.Minute,
		// Catches: a device that is tested when it is created, an unseal that waits for its first
		// record.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			defer withSink(ctx, t, env, "http://127.0.0.1:9/")() // the discard port in the pod, without a listener
			fetchAll(ctx, t, env, 0)
		},
	}
}
