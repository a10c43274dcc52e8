package campaign

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/scenarios"
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
	} else {
		err = ready(ctx, sess, provider)
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
	return show(ctx, sess, do)
}

// ready decides how many installations a run has at once, and checks everything that can be
// checked before anything is made.
func ready(ctx context.Context, sess *session.Session, p *platform.Provider) error {
	list, err := p.Plan.Select(scenarios.All())
	if err == nil {
		err = p.Arrange(list, platform.HostNow())
	}
	if err != nil {
		return err
	}
	return sess.Ready(ctx, p)
}

// RunProcesses runs the plan's scenarios that need no cluster on processes, and prints what came
// out.
func RunProcesses(ctx context.Context, sess *session.Session, root string, p plan.Plan, dryRun bool) (
	result.Verdict, error,
) {
	provider, err := sess.Prepare(ctx, root, p)
	if err != nil {
		return "", err
	}
	r := sess.Runner(provider)
	if dryRun {
		return "", sess.PrintPlan(p, r.Plan.Outlook())
	}
	spec := local.Spec{Secrets: p.Secrets}
	if os.Getenv("STEAMER_BAO") == "" {
		if spec.Server.Binary, err = sess.OpenBao(ctx); err != nil {
			return "", err
		}
	}
	return show(ctx, sess, func(ctx context.Context) (*result.Result, string, error) { return r.RunProcesses(ctx, spec) })
}

// show runs, and prints the outcome.
func show(ctx context.Context, sess *session.Session, do func(context.Context) (*result.Result, string, error)) (
	result.Verdict, error,
) {
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
