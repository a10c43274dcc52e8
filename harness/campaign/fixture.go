package campaign

import (
	"context"
	"io"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/session"
)

// Fixture runs a plan of one topology up to the load, leaves it running, and writes the load
// generator's fixture to standard output. Its tokens are good for ttl. The verdict is PASS where it
// was written.
func Fixture(ctx context.Context, sess *session.Session, root string, p plan.Plan, ttl time.Duration, dryRun bool) (
	result.Verdict, error,
) {
	if len(p.Topologies) != 1 {
		return "", exit.Invalidf("--topology", "name the one that is to be loaded",
			"a fixture is of one topology, and the plan has %d", len(p.Topologies))
	}
	p.Load, p.Cluster.Keep = false, true
	r, err := sess.Prepare(ctx, root, p)
	if err != nil {
		return "", err
	}
	r.Stay = true
	verdicts := map[string]result.Verdict{}
	r.Measure = func(ctx context.Context, d *run.Driver) error {
		// The fixture is tokens, and who pipes it asked for them.
		if err := writeFixture(ctx, secret.Unwrap(sess.Stdout), d, ttl); err != nil {
			return err
		}
		verdicts[d.Name()] = result.Pass
		return nil
	}
	messages := *sess
	messages.Stdout = sess.Stderr // the document is all there is on standard output
	if dryRun {
		messages.Stdout = sess.Stdout
	}
	return messages.Measure(ctx, r, p, dryRun, verdicts)
}

func writeFixture(ctx context.Context, w io.Writer, d *run.Driver, ttl time.Duration) error {
	document, err := d.Fixture(ctx, ttl)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(document, '\n')); err != nil {
		return exit.Environmentf("standard output", "the program that was to read the fixture is gone", "%w", err)
	}
	return nil
}
