package campaign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	"gitlab.com/steamer/steamer/scenarios"
)

// Mutants says which deliberate defects to try, and where.
type Mutants struct {
	Pattern string // only those whose ID matches this regular expression; empty for all
	Local   bool   // only those that need no cluster
	Sample  int    // of those that need a cluster only as many, drawn by Seed; 0 for all
	Seed    uint64 // of the sample; 0 for one that is drawn
	Cluster string // name of the cluster; empty for one that is chosen
	Port    int    // loopback port of the cluster; 0 for a free one
	Keep    bool   // leave the cluster and the engine running
	Output  string // directory of run directories

	Markdown, JSON string // files for the outcomes; empty for none

	drawn *mutation.Sample // nil without Sample
}

// Drawn says which part was tried; nil for all.
func (m *Mutants) Drawn() *mutation.Sample { return m.drawn }

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
	if m.Sample < 0 {
		return nil, exit.Invalidf(fmt.Sprintf("--sample %d", m.Sample), "give how many mutants to draw", "it is negative")
	}
	if m.Sample > 0 {
		if m.Seed == 0 {
			m.Seed = rand.Uint64N(1<<32) + 1
		}
		list, m.drawn = mutation.Draw(list, m.Sample, m.Seed)
	}
	return list, nil
}

// Try tries mutants: first those that need no cluster. It returns the outcomes of those that were
// tried, also beside an error.
func (m *Mutants) Try(ctx context.Context, sess *session.Session, list []mutation.Mutant) ([]mutation.Outcome, error) {
	root, err := plan.FindRoot(sess.Root)
	if err != nil {
		return nil, err
	}
	binary, err := sess.OpenBao(ctx)
	if err != nil {
		return nil, err
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
		if provider, err = m.provider(ctx, sess, root); err != nil {
			return nil, err
		}
	}
	report := func(o mutation.Outcome) {
		mark := map[bool]string{true: "✓", false: "✗"}[o.Sound()]
		sess.Note(fmt.Sprintf("%s %-9s %s (%.1f s) %s %s", mark, o.Status, o.Mutant.ID, o.Seconds, o.By,
			steps.Shorten(secret.Redact(o.Reason))))
	}
	if m.drawn != nil {
		sess.Note(m.drawn.String())
	}
	var tries []mutation.Try
	for range sideBySide {
		local := &mutation.Local{Root: root, Binary: binary, Scenarios: scenarios.All()}
		defer local.Close()
		tries = append(tries, local.Try)
	}
	outcomes, err := mutation.Each(ctx, here, tries, report)
	if err == nil && len(there) > 0 {
		var more []mutation.Outcome
		more, err = m.there(ctx, sess, provider, there, report)
		outcomes = append(outcomes, more...)
	}
	return outcomes, err
}

// sideBySide is how many mutants are tried at once by processes, each with a server of its own.
const sideBySide = 2

// Run tries mutants, and writes and prints the outcomes, also those before an error. The verdict
// is FAIL where one survived that does not say why it cannot be killed, and INCONCLUSIVE where one
// could not be tried.
func (m *Mutants) Run(ctx context.Context, sess *session.Session, list []mutation.Mutant) (result.Verdict, error) {
	if err := errors.Join(session.Writable("--markdown", m.Markdown), session.Writable("--json", m.JSON)); err != nil {
		return "", err // found out before the half hour
	}
	outcomes, err := m.Try(ctx, sess, list)
	if len(outcomes) > 0 {
		fmt.Fprintln(sess.Stdout, mutation.Summary(outcomes))
		err = errors.Join(err, m.Write(outcomes))
	}
	verdict := result.Verdict("")
	for _, o := range outcomes {
		switch {
		case o.Status == mutation.Survived:
			verdict = result.Fail
		case !o.Sound() && verdict == "":
			verdict = result.Inconclusive
		}
	}
	if err != nil && verdict == result.Fail { // that one survived stands, whatever kept the others from being tried
		fmt.Fprintln(sess.Stderr, "steamer:", err)
		return verdict, nil
	}
	if err != nil {
		return "", err
	}
	return verdict, nil
}

// Write writes the outcomes to the files that are named.
func (m *Mutants) Write(outcomes []mutation.Outcome) error {
	outcomes = secret.Scrub(outcomes)
	if m.JSON != "" {
		data, err := mutation.Encode(session.Version(), time.Now(), m.drawn, outcomes)
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
	provider.Layout.Shards = provider.Beside(platform.HostNow())
	if err := sess.Place(ctx, provider); err != nil {
		return nil, err
	}
	if provider.Elsewhere {
		return nil, sess.Enter(ctx, provider)
	}
	return provider, provider.Preflight(ctx)
}

// there tries mutants of charts on a cluster. Those that the machine or the cluster kept from
// being tried are tried once more, on a fresh cluster; what fails then is an outcome of these
// mutants alone. The error is ctx's own.
func (m *Mutants) there(ctx context.Context, sess *session.Session, provider *platform.Provider,
	list []mutation.Mutant, report func(mutation.Outcome),
) ([]mutation.Outcome, error) {
	var all []mutation.Outcome
	kept := map[string]mutation.Outcome{} // the last of those that may be repeated
	tell := func(o mutation.Outcome) {
		if o.Repeatable() {
			kept[o.Mutant.ID] = o
			return
		}
		all = append(all, o)
		report(o)
	}
	why := m.onCluster(ctx, sess, provider, list, tell)
	left := untried(list, all)
	if ctx.Err() != nil || len(left) == 0 {
		return all, errors.Join(ctx.Err(), why)
	}
	sess.Note(fmt.Sprintf("%d mutants could not be tried there; once more on a fresh cluster: %v", len(left), why))
	fresh := *m
	fresh.Cluster, fresh.Keep, fresh.Port = m.Cluster+"-again", false, 0
	again, err := fresh.provider(ctx, sess, provider.Root)
	if err == nil {
		err = fresh.onCluster(ctx, sess, again, left, tell)
	}
	if ctx.Err() != nil {
		return all, ctx.Err()
	}
	for _, one := range untried(list, all) {
		o, ok := kept[one.ID]
		if !ok {
			o = mutation.Outcome{Mutant: one, Status: mutation.Broken, Reason: fmt.Sprint(errors.Join(why, err))}
		}
		all = append(all, o)
		report(o)
	}
	return all, nil
}

// untried are the mutants of list without an outcome.
func untried(list []mutation.Mutant, outcomes []mutation.Outcome) []mutation.Mutant {
	return slices.DeleteFunc(slices.Clone(list), func(one mutation.Mutant) bool {
		return slices.ContainsFunc(outcomes, func(o mutation.Outcome) bool { return o.Mutant.ID == one.ID })
	})
}

// onCluster tries mutants of charts, and removes the cluster when done unless it is to stay. The
// error is why some have no outcome: the last one's, or what is wrong with the cluster.
func (m *Mutants) onCluster(ctx context.Context, sess *session.Session, provider *platform.Provider,
	list []mutation.Mutant, report func(mutation.Outcome),
) (err error) {
	id := result.NewID(time.Now().UTC())
	dir := filepath.Join(m.Output, id)
	if err := session.MakeDirectory(dir); err != nil {
		return err
	}
	s := steps.New(steps.Quiet())
	defer func() { err = errors.Join(err, s.Clean(ctx)) }()
	up, err := provider.Up(ctx, id, s)
	if err != nil {
		return err
	}
	c := &mutation.Cluster{Root: provider.Root, Platform: up, Previous: provider.Plan.Previous, Dir: dir}
	err = steps.New(sess.Progress()).Do(ctx, "control", "the charts as they are pass", func(ctx context.Context) error {
		return c.Control(ctx, list, func(topology, scenario, reason string) {
			sess.Note(fmt.Sprintf("%s fails in %s without any mutation, and judges none: %s", scenario, topology,
				steps.Shorten(reason)))
		})
	})
	if err != nil {
		return err
	}
	var last error
	_, err = mutation.Each(ctx, list, c.Tries(), func(o mutation.Outcome) {
		if o.Repeatable() {
			last = errors.New(o.Reason)
		}
		report(o)
	})
	return cmp.Or(err, last)
}
