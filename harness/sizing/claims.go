package sizing

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/stat"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

// Sources of the claims.
const (
	sizingPage = "GitLab administration docs, secrets manager, sizing"
	olderPage  = "GitLab administration docs, secrets manager, sizing as of 18.11"
	lockSource = "OpenBao's PostgreSQL HA lock: a crash leaves it for its TTL of 15 s, tried again each second; then the documented time to load the namespaces"
)

// Claim is a published number beside the measurement.
type Claim struct {
	Title     string         `json:"title"`
	Published string         `json:"published"`
	Source    string         `json:"source"`
	Measured  string         `json:"measured"`
	At        string         `json:"at"` // the size it was judged at
	Verdict   result.Verdict `json:"verdict"`
	Reason    string         `json:"reason,omitempty"` // why it is not PASS
}

// DocumentedMiB is GitLab's limit of the active node's memory: 1 GB and 1 MB per namespace.
func DocumentedMiB(namespaces int) float64 { return (1e9 + 1e6*float64(namespaces)) / (1 << 20) }

// DocumentedStartup is GitLab's limit in seconds of a start and of a failover in order: 5 s and 11
// s per 1,000 namespaces.
func DocumentedStartup(namespaces int) float64 { return 5 + 0.011*float64(namespaces) }

// DocumentedCrash is the limit in seconds of a failover after a crash: 16 s and 11 s per 1,000
// namespaces.
func DocumentedCrash(namespaces int) float64 { return 16 + 0.011*float64(namespaces) }

const (
	documentedKBPerSecret = 13
	documentedMeanMs      = 20 // "investigate" above it; 3 to 7 is normal
)

// claims judges every claim at every measured step and keeps the worst: a number that holds at 50
// tenants only does not hold.
func claims(steps []Step) []Claim {
	if len(steps) == 0 {
		return nil
	}
	all := []Claim{
		worst(steps, "memory of the active node", "1 GB and 1 MB per namespace, or less", sizingPage,
			func(s Step) (string, float64, float64) {
				return fmt.Sprintf("%.0f MiB", s.MemoryMiB), s.MemoryMiB, DocumentedMiB(s.Namespaces)
			}),
		worst(steps, "start, all nodes at once", "5 s and 11 s per 1,000 namespaces, or less", sizingPage,
			func(s Step) (string, float64, float64) {
				return fmt.Sprintf("%.1f s", s.Startup), s.Startup, DocumentedStartup(s.Namespaces)
			}),
		worst(steps, "failover, the active node ends in order", "5 s and 11 s per 1,000 namespaces, or less", sizingPage,
			func(s Step) (string, float64, float64) {
				return fmt.Sprintf("%.1f s", s.Graceful), s.Graceful, DocumentedStartup(s.Namespaces)
			}),
		worst(steps, "failover, the active node crashes", "16 s and 11 s per 1,000 namespaces, or less", lockSource,
			func(s Step) (string, float64, float64) {
				return fmt.Sprintf("%.1f s", s.Crash), s.Crash, DocumentedCrash(s.Namespaces)
			}),
		worst(steps, "rate for 100,000 secrets, at the secrets there are", fmt.Sprintf("%d fetches/s", publishedRate),
			olderPage, func(s Step) (string, float64, float64) {
				// A rate is met from above: judged as what is missing.
				return fmt.Sprintf("%.1f of %g fetches/s, %d failed", s.Fetch.Achieved, s.Fetch.Offered, s.Fetch.Failed+
						s.Fetch.Wrong),
					missing(s.Fetch), 0.01 * publishedRate
			}),
		worst(steps, "mean latency of a fetch, at the client", fmt.Sprintf("server's mean up to %d ms", documentedMeanMs),
			"GitLab troubleshooting page: 3 to 7 ms is normal",
			func(s Step) (string, float64, float64) {
				return fmt.Sprintf("%.1f ms", s.Fetch.Mean), s.Fetch.Mean, documentedMeanMs
			}),
	}
	if slices.ContainsFunc(steps, func(s Step) bool { return s.MemoryMiB <= 0 }) {
		all[0].Verdict, all[0].Reason, all[0].Measured = result.Inconclusive,
			"the nodes' memory was not observed at every size", "–"
	}
	for i := range all[4:] {
		unmeasured(&all[4+i], steps)
	}
	if offered := steps[len(steps)-1].Fetch.Offered; offered < publishedRate {
		all[4].Verdict, all[4].Reason = result.Inconclusive, fmt.Sprintf("only %g fetches/s were asked for", offered)
	}
	if steps[len(steps)-1].DatabaseMiB > 0 {
		all = append(all, databaseClaim(steps))
	}
	return all
}

// missing is how far the measurement stays behind the published rate, in fetches per second.
func missing(f Fetch) float64 {
	if f.Failed+f.Wrong > 0 {
		return publishedRate
	}
	return max(0, publishedRate-f.Achieved)
}

// unmeasured makes a claim about fetches INCONCLUSIVE where the measurement of the fetches is not
// valid.
func unmeasured(c *Claim, steps []Step) {
	for _, s := range steps {
		if s.Fetch.Valid != "" && s.Fetch.Wrong == 0 {
			c.Verdict, c.Reason = result.Inconclusive, fmt.Sprintf("at %d tenants: %s", s.Tenants, s.Fetch.Valid)
		}
	}
}

// worst judges a value against its limit at each step and keeps the one with the least room.
func worst(steps []Step, title, published, source string, of func(Step) (text string, value, limit float64)) Claim {
	c := Claim{Title: title, Published: published, Source: source, Verdict: result.Pass}
	least := 0.0
	for i, s := range steps {
		text, value, limit := of(s)
		if room := (limit - value) / limit; i == 0 || room < least {
			least, c.Measured, c.At = room, text, fmt.Sprintf("%d tenants, %d namespaces", s.Tenants, s.Namespaces)
			if value > limit {
				c.Verdict, c.Reason = result.Fail, fmt.Sprintf("%.1f over a limit of %.1f", value, limit)
			}
		}
	}
	return c
}

// databaseClaim takes the growth between the first and the last step, which leaves out what an
// empty OpenBao holds.
func databaseClaim(steps []Step) Claim {
	first, last := steps[0], steps[len(steps)-1]
	c := Claim{
		Title: "database, per secret", Published: fmt.Sprintf("%d KB, or less", documentedKBPerSecret), Source: sizingPage,
		At: fmt.Sprintf("%d tenants, %d secrets", last.Tenants, last.Secrets), Verdict: result.Pass,
	}
	if last.Secrets == first.Secrets {
		c.Verdict, c.Reason, c.Measured = result.Inconclusive, "one size says nothing of growth", "–"
		return c
	}
	kb := (last.DatabaseMiB - first.DatabaseMiB) * (1 << 20) / 1000 / float64(last.Secrets-first.Secrets)
	c.Measured = fmt.Sprintf("%.1f KB", kb)
	if kb > documentedKBPerSecret {
		c.Verdict = result.Fail
		c.Reason = fmt.Sprintf("namespaces, mounts, roles and policies are in it: there are %.1f secrets per tenant here",
			float64(last.Secrets)/float64(last.Tenants))
	}
	return c
}

// invalid is why a measurement of fetches says nothing about the server, by the gate's validity
// conditions; drift is one.
func invalid(t result.Topology) string {
	r := result.Result{Topologies: []result.Topology{t}}
	judge.Judge(&r, judge.Policy{Validity: judge.DefaultValidity(), Expect: judge.Expect{Load: true}})
	for _, c := range r.Topologies[0].Checks {
		carried := judge.Overload(c.ID) && c.ID != "valid/interrupted-fetches" // cut off fetches hide their latency
		if c.Kind == "validity" && c.Verdict != result.Pass && !c.Informational &&
			(!carried || c.Owner == result.OwnerMachine) {
			return c.Title + ": " + c.Reason
		}
	}
	return ""
}

// beyond are the sizes that are extrapolated where they were not reached.
func beyond() []int { return []int{1000, 5000, 10000} }

// minForLine is how many sizes a line is laid through.
const minForLine = 3

// extrapolate computes sizes that were not reached from lines through the measured ones, by least
// squares over the namespaces.
func extrapolate(steps []Step) []Step {
	if len(steps) < minForLine {
		return nil
	}
	var x []float64
	for _, s := range steps {
		x = append(x, float64(s.Namespaces))
	}
	last := steps[len(steps)-1]
	var out []Step
	for _, tenants := range beyond() {
		if tenants <= last.Tenants {
			continue
		}
		per := float64(last.Namespaces) / float64(last.Tenants)
		s := Step{
			Tenants: tenants, Namespaces: int(per * float64(tenants)), Secrets: last.Secrets / last.Tenants * tenants,
			Extrapolated: true,
		}
		for _, f := range []struct {
			into *float64
			of   func(Step) float64
		}{
			{&s.MemoryMiB, func(s Step) float64 { return s.MemoryMiB }},
			{&s.Startup, func(s Step) float64 { return s.Startup }},
			{&s.Graceful, func(s Step) float64 { return s.Graceful }},
			{&s.Crash, func(s Step) float64 { return s.Crash }},
			{&s.DatabaseMiB, func(s Step) float64 { return s.DatabaseMiB }},
		} {
			var y []float64
			for _, m := range steps {
				y = append(y, f.of(m))
			}
			if f.into == &s.MemoryMiB && slices.Contains(y, 0) {
				continue // not observed at every size
			}
			intercept, slope := stat.LinearRegression(x, y, nil, false)
			*f.into = max(0, intercept+slope*float64(s.Namespaces))
		}
		out = append(out, s)
	}
	return out
}
