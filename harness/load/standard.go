package load

import (
	"fmt"
	"slices"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/result"
)

// Uniform is the choice of tenants that gives each as many fetches as the next.
const Uniform = "uniform"

// Standard is what a load has to be like to say something of a tier.
type Standard struct {
	Workload string // script
	Mode     string // way to fetch
	Choice   string // of tenants
	Signing  string // algorithm of the jobs' tokens
	Tenants  int    // at least; fewer are found in OpenBao's caches more often
	Secrets  int    // of each tenant, at least
}

// TierStandard is the one place that says what CI jobs do to OpenBao, which GitLab's sizing counts
// on:
//
//   - A job logs in and reads in one request (mode inline) over a connection of its own: GitLab
//     Runner makes a client for each secret and closes it.
//   - A fetch counts as good if its one request was. Runner repeats failed requests, which hides
//     from the job, and would hide from the objectives, that the server fails.
//   - GitLab signs tokens by RS256. OpenBao needs another time to verify it than other algorithms.
//   - Fetches come from many projects alike. GitLab publishes no number of projects for a tier:
//     DefaultTenants and DefaultSecrets, which every calibration and each limit of perf/slo.yaml
//     was made with, are the least.
//   - The rate stays within the tier's all the time, and nothing is added to the limits.
//
// Sources: GitLab Runner's gitlab_secrets_manager resolver (a client for each secret, no
// keep-alive); GitLab documentation, "GitLab Secrets Manager (OpenBao)", section "Sizing
// recommendations".
func TierStandard() Standard {
	return Standard{
		Workload: "fetch", Mode: Inline, Choice: Uniform, Signing: string(gitlab.RS256), Tenants: gitlab.DefaultTenants,
		Secrets: gitlab.DefaultSecrets,
	}
}

// Difference is a way in which a load is not as the standard asks.
type Difference struct {
	What string // a sentence's end after "it", e.g. "kept connections open"
	// Easier is set where the chart had it no harder than the standard asks: an objective that was
	// missed all the same is missed. A load that was otherwise different says nothing of the tier,
	// and only a wrong value in it counts.
	Easier bool
}

// Differences lists how the load of a topology in a run differs from what is standard for a tier;
// none: it is evidence for that tier. What is not recorded counts as different: missing never
// reads as good.
func (s Standard) Differences(tier string, run result.Run, t *result.Topology) []Difference {
	var out []Difference
	add := func(easier, differs bool, format string, args ...any) {
		if differs {
			out = append(out, Difference{fmt.Sprintf(format, args...), easier})
		}
	}
	l := t.Load
	add(false, t.TLS, "went to OpenBao over TLS, and the tier's load goes in plain text")
	add(false, run.Tier != tier, "is of tier %s", run.Tier)
	add(false, l.Mode != s.Mode, "is of mode %s, and jobs fetch in mode %s", l.Mode, s.Mode)
	add(false, l.Workload != s.Workload, "ran the script %q, and jobs are played by %q", l.Workload, s.Workload)
	if of, err := TierNamed(tier); err == nil {
		rate := l.JudgedRate()
		add(false, rate <= of.Above(), "asked for %g fetches per second, and tier %s begins above %g", rate, tier, of.Above())
		add(false, rate > of.Rate, "asked for %g fetches per second, and tier %s ends at %g", rate, tier, of.Rate)
	}
	add(true, run.EnvironmentLatency > 0, "had %g ms added to every latency limit (--environment-latency)",
		run.EnvironmentLatency)
	beyond := l.Excursion != nil || slices.ContainsFunc(l.Stages, func(s result.LoadStage) bool { return s.Excursion })
	add(true, beyond, "went beyond the tier's rate on the way (excursions)")
	j := l.Jobs
	if j == nil {
		add(true, true, "does not say what its jobs did: connections, repetitions, tenants, signing; records of Steamer "+
			"before December 2026 do not")
		return out
	}
	add(true, j.Reuse, "kept connections open, and each job opens its own")
	if connect, counted := l.Steps[connectStep]; counted && !j.Reuse {
		add(true, connect.Count < l.Fetches-l.Failed, "opened %d connections for %d fetches, and each job opens its own",
			connect.Count, l.Fetches)
	}
	add(true, j.Retries && (l.Attempts == nil || l.Attempts.Retried > 0),
		"repeated requests that had failed, which then count as good")
	add(false, j.Choice != s.Choice, "chose tenants by %q, and jobs come from all alike (%s)", j.Choice, s.Choice)
	add(false, j.Signing != s.Signing, "had tokens signed by %q, and GitLab signs by %s", j.Signing, s.Signing)
	tenants, secrets := j.Tenants, j.Secrets
	if seed := t.Seed; tenants == 0 && seed != nil &&
		seed.Tenants > 0 { // where the generators were others', what they could fetch is known
		tenants, secrets = seed.Tenants, seed.Secrets/seed.Tenants
	}
	add(true, tenants < s.Tenants, "fetched from %s, and %d are the least", known(tenants, "tenant"), s.Tenants)
	add(true, tenants >= s.Tenants && secrets < s.Secrets, "fetched from tenants with %s, and %d are the least",
		known(secrets, "secret"), s.Secrets)
	return out
}

// connectStep is the step of a fetch in which it makes a connection.
const connectStep = "connect"

// known prints a number of things, or that nobody knows it.
func known(n int, noun string) string {
	switch n {
	case 0:
		return "an unknown number of " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
