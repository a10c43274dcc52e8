package campaign

import (
	"context"
	"fmt"
	"io"
	"time"

	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/session"
)

// Run runs a plan, and prints what came out. full points it at a GitLab instead of a cluster. The
// verdict is "" where nothing was judged.
func Run(ctx context.Context, sess *session.Session, root string, p plan.Plan, full *run.FullStack, dryRun bool) (
	result.Verdict, error,
) {
	provider, err := sess.Prepare(ctx, root, p)
	if err != nil {
		return "", err
	}
	r := sess.Runner(provider)
	do := r.Run
	if full != nil {
		err = full.Check(ctx)
		do = func(ctx context.Context) (*result.Result, string, error) { return r.RunFullStack(ctx, full) }
	} else if err = sess.Place(ctx, provider); err == nil {
		err = provider.Preflight(ctx)
	}
	if err != nil {
		return "", err
	}
	if dryRun {
		return "", sess.PrintPlan(p, r.Plan.Outlook())
	}
	for _, line := range r.Plan.Outlook() {
		sess.Note(line)
	}
	if provider.Elsewhere {
		return "", sess.Enter(ctx, provider)
	}
	started := time.Now()
	outcome, dir, err := do(ctx)
	if outcome == nil {
		return "", err
	}
	if err := session.Print(sess, outcome, result.Encode, func(w io.Writer) error {
		return report.Summary(w, outcome, sess.Colour)
	}); err != nil {
		return "", err
	}
	fmt.Fprintf(sess.Aside(), "\nRun directory: %s (%s)\n", dir, time.Since(started).Round(time.Second))
	return outcome.Verdict, err
}
