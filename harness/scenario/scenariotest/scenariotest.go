// Package scenariotest runs scenarios under go test, so that a single one can be debugged on a kept
// cluster.
package scenariotest

import (
	"context"
	"testing"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// Suite returns a suite for run.Run that makes a subtest of every scenario, named by its ID. They
// run one by one, in order; options are ignored.
func Suite(t *testing.T) func(context.Context, *scenario.Env, []scenario.Scenario, scenario.Options) ([]result.Scenario,
	error) {
	t.Helper()
	return func(ctx context.Context, env *scenario.Env, list []scenario.Scenario, _ scenario.Options) ([]result.Scenario,
		error,
	) {
		if err := scenario.Validate(list); err != nil {
			return nil, err
		}
		own, done, err := env.Prepare()
		if err != nil {
			return nil, err
		}
		defer done()
		var all []result.Scenario
		for _, s := range list {
			out := result.Scenario{ID: s.ID, Title: s.Title, Protects: s.Protects, Status: result.Skipped, Reason: own.Skip(s)}
			started := time.Now()
			t.Run(s.ID, func(t *testing.T) {
				if out.Reason != "" {
					t.Skip(out.Reason)
				}
				ctx, cancel := context.WithTimeout(ctx, s.Budget)
				defer cancel()
				out.Status, out.Reason = result.Failed, "see the output of go test"
				s.Test(ctx, scenario.FromTesting(t), own)
				if !t.Failed() {
					out.Status, out.Reason = result.Passed, ""
				}
			})
			if out.Reason == "" && out.Status == result.Skipped {
				out.Reason = "not chosen by -run"
			}
			out.Seconds = time.Since(started).Seconds()
			all = append(all, out)
		}
		return all, ctx.Err()
	}
}
