package kind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/observe"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/steps"
)

// Env is the target as scenarios see it that leave its release as it is.
func (t *Target) Env() (*scenario.Env, func(), error) {
	env := t.env.Scenarios(t.Tenants(), t.tenancy.Seed)
	env.WatchMachine, env.Outage = t.watchMachine, t.budgets
	return env.Prepare()
}

// Suite is the target as the whole functional suite sees it: scenarios may change the release,
// have one session with the database, and save what explains a failure. Call Restore after them.
func (t *Target) Suite(ctx context.Context) (env *scenario.Env, done func(), err error) {
	env = t.env.Scenarios(t.Tenants(), t.tenancy.Seed)
	env.Installer, env.Previous, env.Artifacts = t.changer, t.options.Previous, t.options.Dir
	env.Capture = func(ctx context.Context, id string) (scenario.Captured, error) {
		return t.capture(ctx, id, env.Redactor().Redact)
	}
	signals, err := t.env.Signals(ctx)
	if err != nil {
		return nil, nil, err
	}
	if signals {
		env.Features = append(env.Features, scenario.FeatureSignals)
	}
	switch able, err := openbao.AtLeast(t.info.Versions["openbao"], openbao.HTTPAuditSince); {
	case t.env.Kind() == openbao.KindVault:
	case err != nil:
		t.note("scenarios of the HTTP audit device are skipped: " + steps.OneLine(err))
	case able:
		env.Features = append(env.Features, scenario.FeatureAuditHTTP)
	}
	if t.logs != nil {
		env.Logs = t.logs
	}
	var closeDatabase func()
	closeDatabase = func() {}
	if !t.env.Spec.Dialect.Raft {
		env.Database, closeDatabase = t.env.OpenDatabase(ctx)
	}
	env.WatchMachine, env.Outage = t.watchMachine, t.budgets
	return env, func() { closeDatabase(); t.stopLogs() }, nil
}

// maxOthers is the share of the machine's CPUs that other processes may use while an outage is
// measured; the judge of loads has the same.
const maxOthers = 0.4

// span is for how long they may not use more: about as long as an outage.
const span = 10 * time.Second

// watchMachine watches what other processes use of the machine that everything shares. Where that
// cannot be known, as on an existing cluster, it excuses nothing.
func (t *Target) watchMachine(ctx context.Context) func() string {
	if t.platform.Existing() {
		return func() string { return "" }
	}
	observer, err := t.start(ctx, observe.Own{}, observe.Host{})
	if err != nil {
		t.note("the machine is not watched: " + steps.OneLine(err))
		return func() string { return "" }
	}
	return func() string {
		seen := result.Topology{Load: &result.Load{}} // no load generator runs
		seen.Resources, _, _ = observer.Stop()
		observer.Fill(&seen)
		if seen.Host == nil || len(seen.Host.Samples) == 0 {
			return ""
		}
		samples, cpus := seen.Host.Samples, cgroup.UsableCPUs()
		cores := busiest(&seen, samples[0].At, samples[len(samples)-1].At)
		if cores > maxOthers*cpus {
			return fmt.Sprintf("other processes used up to %.1f of this machine's %.3g CPUs", cores, cpus)
		}
		return ""
	}
}

// busiest is how many cores other processes used at most, on average over a span. What they use
// over the whole of a watch says little: outages are shorter.
func busiest(seen *result.Topology, from, to time.Time) (cores float64) {
	for end := from; end.Before(to); from = end {
		if end = from.Add(span); to.Sub(end) < span {
			end = to // what is left would be too short
		}
		if used, known := seen.Others(result.Window{From: from, To: end}); known {
			cores = max(cores, used)
		}
	}
	return cores
}

// Restore brings back the chart with the target's own values where scenarios left anything else,
// and waits until it is ready. Scenarios kill and replace pods: what follows starts from a ready
// target.
func (t *Target) Restore(ctx context.Context) error { return t.changer.Restore(ctx) }

// Diagnostics is the directory below dir for what explains failures of a topology.
func Diagnostics(dir, topology string) string { return filepath.Join(dir, "diagnostics", topology) }

// capture saves the diagnostics of a failed scenario. The paths are relative to the working
// directory where that holds them, as GitLab wants attachments.
func (t *Target) capture(ctx context.Context, id string, redact func(string) string) (scenario.Captured, error) {
	// One that runs on each shard may fail on several.
	dir := filepath.Join(Diagnostics(t.options.Dir, t.info.Name), strings.ReplaceAll(id, "/", "-")+t.options.Spec.Suffix)
	err := t.env.Diagnose(ctx, dir, redact)
	files, globErr := filepath.Glob(filepath.Join(dir, "*"))
	crashed := crashes(files)
	slices.SortStableFunc(files, func(a, b string) int { return cmp.Compare(diagnosticOrder(a), diagnosticOrder(b)) })
	if here, cwdErr := os.Getwd(); cwdErr == nil {
		for i, file := range files {
			if inside, relErr := filepath.Rel(here, file); relErr == nil && filepath.IsLocal(inside) {
				files[i] = inside
			}
		}
	}
	return scenario.Captured{Files: files, Crashes: crashed}, errors.Join(err, globErr)
}

// diagnosticOrder puts what explains most first: events, then logs, then objects.
func diagnosticOrder(file string) int {
	return slices.Index([]string{".txt", ".log", ".yaml"}, filepath.Ext(file))
}
