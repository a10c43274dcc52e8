package campaign

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/target/kind"
)

// Fixture runs a plan of one topology up to the load, leaves it running, and writes the load
// generator's fixture to standard output. Its tokens are good for ttl. The verdict is PASS where
// it was written.
func Fixture(ctx context.Context, sess *session.Session, root string, p plan.Plan, ttl time.Duration, dryRun bool) (
	result.Verdict, error,
) {
	if len(p.Topologies) != 1 {
		return "", exit.Invalidf("--topology", "name the one that is to be loaded",
			"a fixture is of one topology, and the plan has %d", len(p.Topologies))
	}
	p.Load, p.Cluster.Keep = false, true
	messages := *sess
	messages.Stdout = sess.Stderr // the document is all there is on standard output
	if dryRun {
		messages.Stdout = sess.Stdout
	}
	return messages.Measure(ctx, root, p, session.OnTopologies{
		Name: "fixture", DryRun: dryRun, Keep: true,
		Measure: func(ctx context.Context, t *kind.Target, p *plan.Resolved, _ string) (result.Verdict, error) {
			document, err := t.Fixture(ctx, p.Profile, ttl)
			if err != nil {
				return "", err
			}
			// The fixture is tokens, and who pipes it asked for them.
			if _, err := secret.Unwrap(sess.Stdout).Write(append(document, '\n')); err != nil {
				return "", exit.Environmentf("standard output", "the program that was to read the fixture is gone", "%w", err)
			}
			return result.Pass, nil
		},
	})
}
