package campaign

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

// Mutants says which deliberate defects to try, and where.
type Mutants struct {
	Pattern string // only those whose ID matches this regular expression; empty for all
	Local   bool   // only those that need no cluster
	Cluster string // name of the cluster; empty for one that is chosen
	Port    int    // loopback port of the cluster; 0 for a free one
	Keep    bool   // leave the cluster and the engine running
	Output  string // directory of run directories

	Markdown, JSON string // files for the outcomes; empty for none
}

// Selected reads the mutants and keeps those that are asked for. Errors are of code exit.Invalid.
func (m *Mutants) Selected(root string) ([]mutation.Mutant, error) {
	list, err := mutation.Read(root, scenarios.All())
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(m.Pattern)
	if err != nil {
		return nil, exit.Invalidf("--run "+m.Pattern, "use RE2 syntax, e.g. --run '^service-'", "%w", err)
	}
	list = slices.DeleteFunc(list, func(one mutation.Mutant) bool {
		return !re.MatchString(one.ID) || m.Local && !one.Local()
	})
	if len(list) == 0 {
		return nil, exit.Invalidf("--run "+m.Pattern, "steamer mutants --list shows the IDs", "no mutant's ID matches")
	}
	return list, nil
}

// Try tries mutants: first those that need no cluster. It returns the outcomes of those that were
// tried, also beside an error.
func (m *Mutants) Try(ctx context.Context, sess *session.Session, list []mutation.Mutant) ([]mutation.Outcome, error) {
	builder, err := sess.Builder()
	if err != nil {
		return nil, err
	}
	binary, err := builder.OpenBaoBinary(ctx)
	if err != nil {
		return nil, exit.Environmentf("program bao", "steamer doctor", "%w", err)
	}
	var here, there []mutation.Mutant
	for _, one := range list {
		if one.Local() {
			here = append(here, one)
		} else {
			there = append(there, one)
		}
	}
	var provider *platform.Provider
	if len(there) > 0 {
		if provider, err = m.provider(ctx, sess, builder.Root); err != nil {
			return nil, err
		}
	}
	local := &mutation.Local{Root: builder.Root, Binary: binary, Scenarios: scenarios.All()}
	defer local.Close()
	report := func(o mutation.Outcome) {
		mark := map[bool]string{true: "✓", false: "✗"}[o.Sound()]
		sess.Note(fmt.Sprintf("%s %-9s %s (%.1f s) %s %s", mark, o.Status, o.Mutant.ID, o.Seconds, o.By,
			steps.Shorten(secret.Redact(o.Reason))))
	}
	outcomes, err := mutation.Each(ctx, here, local.Try, report)
	if err == nil && len(there) > 0 {
		var more []mutation.Outcome
		more, err = m.onCluster(ctx, sess, provider, there, report)
		outcomes = append(outcomes, more...)
	}
	return outcomes, err
}

// Run tries mutants, and writes and prints the outcomes. The verdict is FAIL where one survived
// that does not say why it cannot be killed.
func (m *Mutants) Run(ctx context.Context, sess *session.Session, list []mutation.Mutant) (result.Verdict, error) {
	if err := errors.Join(session.Writable("--markdown", m.Markdown), session.Writable("--json", m.JSON)); err != nil {
		return "", err // found out before the half hour
	}
	outcomes, err := m.Try(ctx, sess, list)
	survivor := slices.ContainsFunc(outcomes, func(o mutation.Outcome) bool { return o.Status == mutation.Survived })
	if err != nil && survivor { // that one survived stands, whatever kept the others from being tried
		fmt.Fprintln(sess.Stderr, "steamer:", err)
		fmt.Fprintln(sess.Stdout, mutation.Summary(outcomes))
		return result.Fail, nil
	}
	if err != nil {
		return "", err
	}
	fmt.Fprintln(sess.Stdout, mutation.Summary(outcomes))
	if err := m.Write(outcomes); err != nil {
		return "", err
	}
	if slices.ContainsFunc(outcomes, func(o mutation.Outcome) bool { return !o.Sound() }) {
		return result.Fail, nil
	}
	return "", nil
}

// Write writes the outcomes to the files that are named.
func (m *Mutants) Write(outcomes []mutation.Outcome) error {
	outcomes = secret.Scrub(outcomes)
	if m.JSON != "" {
		data, err := mutation.Encode(session.Version(), time.Now(), outcomes)
		if err != nil {
			return err
		}
		if err := secret.WriteFile(m.JSON, data, secret.Public); err != nil {
			return err
		}
	}
	if m.Markdown == "" {
		return nil
	}
	return secret.WriteFile(m.Markdown, []byte(pages.Mutants(outcomes)), secret.Public)
}

// provider brings up the platform that mutants of charts are tried on. It makes the command begin
// again where the cluster can be, unless it is there.
func (m *Mutants) provider(ctx context.Context, sess *session.Session, root string) (*platform.Provider, error) {
	p := plan.Default(root)
	if m.Cluster == "" {
		me, err := sess.Identity()
		if err != nil {
			return nil, err
		}
		m.Cluster = me.DefaultName() + "-mutants"
	}
	p.Cluster.Name, p.Cluster.Port, p.Output = m.Cluster, m.Port, m.Output
	p.Cluster.Reuse, p.Cluster.Keep = true, m.Keep
	p.Load = false
	provider, err := sess.Prepare(ctx, root, p)
	if err != nil {
		return nil, err
	}
	if err := sess.Place(ctx, provider); err != nil {
		return nil, err
	}
	if provider.Elsewhere {
		return nil, sess.Enter(ctx, provider)
	}
	return provider, provider.Preflight(ctx)
}

// onCluster tries mutants of charts, and removes the cluster when done unless it is to stay.
func (m *Mutants) onCluster(ctx context.Context, sess *session.Session, provider *platform.Provider,
	list []mutation.Mutant, report func(mutation.Outcome),
) (outcomes []mutation.Outcome, err error) {
	id := result.NewID(time.Now().UTC())
	dir := filepath.Join(m.Output, id)
	if err := session.MakeDirectory(dir); err != nil {
		return nil, err
	}
	s := steps.New(steps.Quiet())
	defer func() { err = errors.Join(err, s.Clean(ctx)) }()
	up, err := provider.Up(ctx, id, s)
	if err != nil {
		return nil, err
	}
	c := &mutation.Cluster{Root: provider.Root, Platform: up, Previous: provider.Plan.Previous, Dir: dir}
	shown := steps.New(sess.Progress())
	for _, name := range topology.Names() {
		err := shown.Do(ctx, name, "the charts as they are pass", func(ctx context.Context) error {
			return c.Control(ctx, name, list)
		})
		if err != nil {
			return nil, err
		}
	}
	return mutation.Each(ctx, list, c.Try, report)
}
