package plan

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
)

// resolveDuration lays the plan's duration over the profile's, and checks what the profile says it
// does not judge.
func (r *Resolved) resolveDuration() error {
	for _, metric := range r.Profile.NotJudged {
		if !judge.IsObjectiveOfFetches(metric) {
			return exit.Invalidf("profile "+r.Profile.Name, "name metrics of the objectives, such as fetch_p99_ms",
				"notJudged: there is no metric %q", metric)
		}
	}
	d := r.Plan.Duration
	if d == 0 {
		return nil
	}
	if len(r.Profile.Stages) > 0 {
		return exit.Invalidf("--duration "+time.Duration(d).String(), "leave it out, or use a profile without stages",
			"profile %s has stages, which say how long it is", r.Profile.Name)
	}
	r.Profile.Duration = d
	return Bound("duration", time.Duration(d), time.Second, load.MaxDuration)
}

// subject is what the plan knows of a topology to judge.
func (r *Resolved) subject(topology string) judge.Subject {
	u := judge.Subject{Topology: topology, Mode: r.Profile.Mode, Tier: r.Tier.Name}
	if r.Dialect.Server == openbao.KindVault {
		u.Vault = "of unknown version"
	}
	return u
}

// Thresholds are the latency limits that may judge a topology of the plan: fetches above them are
// counted.
func (r *Resolved) Thresholds(topology string) []result.Threshold {
	return r.Objectives.Thresholds(r.subject(topology), milliseconds(time.Duration(r.EnvironmentLatency)))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Supports says which objectives of a topology the load is long enough for, and the number of
// their entry in the file; none where no entry is for it. The version of OpenBao is known only
// once it runs, so that an entry for some versions alone counts as one for all.
func (r *Resolved) Supports(topology string) (entry int, supports []judge.Support) {
	entry = r.Objectives.FindUnversioned(r.subject(topology))
	if entry < 0 {
		return entry, nil
	}
	rate := r.rate()
	d := judge.Drive{Rate: rate, Seconds: time.Duration(r.Profile.Duration).Seconds(), Stages: r.Profile.Course(rate)}
	if len(d.Stages) > 0 {
		d.Seconds = 0
		for _, s := range d.Stages {
			if !s.Excursion {
				d.Seconds += s.Seconds
			}
		}
	}
	return entry, r.Objectives.Entries[entry].Supports(d)
}

// leaveUndecided keeps of what the profile does not judge that for which this load is too short;
// the rest is judged.
func (r *Resolved) leaveUndecided() {
	r.Profile.NotJudged = slices.DeleteFunc(slices.Clone(r.Profile.NotJudged), func(metric string) bool {
		return !slices.ContainsFunc(r.Topologies, func(topology string) bool {
			_, supports := r.Supports(topology)
			return slices.ContainsFunc(supports, func(s judge.Support) bool { return s.Limit.Metric == metric && !s.Decidable })
		})
	})
}

// Lengthen makes the load so long that every required objective of its entry can be held, and
// reports from how long to how long; both are 0 where it is long enough already, where there is no
// load, where no load may be so long, and where the profile has stages, which nobody can lengthen
// without changing what they ask.
func (r *Resolved) Lengthen() (from, to time.Duration) {
	if !r.Load || len(r.Profile.Stages) > 0 {
		return 0, 0
	}
	longest := time.Duration(0)
	for _, topology := range r.Topologies {
		_, supports := r.Supports(topology)
		for _, s := range supports {
			if !s.Limit.Informational && !s.Decidable {
				longest = max(longest, s.Needs)
			}
		}
	}
	if from = time.Duration(r.Profile.Duration); longest <= from || longest > load.MaxDuration {
		return 0, 0
	}
	r.Plan.Duration, r.Profile.Duration = document.Duration(longest), document.Duration(longest)
	r.leaveUndecided()
	return from, longest
}

// Outlook says in words, before the run, which objectives its load can decide and how long it
// would have to be for the others. Topologies with the same answers share theirs. It is empty
// without a load.
func (r *Resolved) Outlook() []string {
	if !r.Load {
		return nil
	}
	var out []string
	var before []string
	for _, topology := range r.Topologies {
		lines := r.outlook(topology)
		if !slices.Equal(lines, before) {
			out = append(append(out, topology+": "+lines[0]), lines[1:]...)
		}
		before = lines
	}
	return out
}

func (r *Resolved) outlook(topology string) []string {
	entry, supports := r.Supports(topology)
	if entry < 0 {
		return []string{"no entry of " + r.SLO + " is for it: the run ends INCONCLUSIVE at best"}
	}
	out := []string{fmt.Sprintf("entries[%d] of %s, %s", entry, r.SLO, r.Profile.Outline(r.rate()))}
	for _, s := range supports {
		out = append(out, "  "+s.Limit.Metric+": "+r.says(s))
	}
	return out
}

// says is the outlook of one objective.
func (r *Resolved) says(s judge.Support) string {
	shown := ""
	if s.Limit.Informational {
		shown = " (shown, not judged)"
	}
	switch {
	case !s.Decidable && slices.Contains(r.Profile.NotJudged, s.Limit.Metric):
		return fmt.Sprintf("not judged, as profile %s says, unless it is missed beyond doubt: "+
			"to hold it takes %s; no evidence for a release%s", r.Profile.Name, s.Needs, shown)
	case !s.Decidable && s.Limit.Informational:
		return fmt.Sprintf("too short to hold it, which takes %s%s", s.Needs, shown)
	case !s.Decidable:
		return fmt.Sprintf("NOT decidable: to hold it takes %s without a fetch above the limit; "+
			"the run ends INCONCLUSIVE at best", s.Needs)
	case s.Allowed == 0:
		return "decidable: how high a mean it holds depends on how much latencies vary" + shown
	}
	return fmt.Sprintf("decidable (it takes %s): held with up to %s of the fetches above the limit, if they come one "+
		"by one; "+
		"in the long run %s may be%s", s.Needs, percent(s.Passable), percent(s.Allowed), shown)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 2, 64) + " %" }
