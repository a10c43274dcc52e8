package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// circumstances are what is known of a measurement when the conditions of its subject are judged.
type circumstances struct {
	topology *result.Topology
	host     result.Host
	trouble  string // of the machine, as distortion has it; empty where nothing says so
	watched  bool   // somebody watched the machine, so that no trouble means that there was none
}

// owner is whose a miss is that a machine in trouble can cause by itself: slow answers, lost
// leases, a database that waits for its clients.
func (s *circumstances) owner() string {
	if s.trouble != "" {
		return result.OwnerMachine
	}
	return result.OwnerSubject
}

// because adds the machine's trouble to the reason of a miss that it may have caused.
func (s *circumstances) because(c result.Check) result.Check {
	c.Owner = s.owner()
	if c.Verdict != result.Pass && s.trouble != "" {
		c.Reason += ", while " + s.trouble
	}
	return c
}

// carried asks whether the load was carried as it was offered: no arrival dropped, none cut off,
// none answered only when the load was over.
func (v Validity) carried(s *circumstances) []result.Check {
	l := s.topology.Load
	drops := check("valid/dropped-iterations", "arrivals k6 could not start on time", fmt.Sprint(l.Dropped), "0",
		l.Dropped == 0,
		fmt.Sprintf("%d arrivals were dropped: no VU was free, so the slowest fetches are missing", l.Dropped))
	if l.Dropped > 0 {
		drops = s.debtor(drops)
	}
	cut := l.Extra["interrupted"]
	interrupted := s.because(check("valid/interrupted-fetches", "fetches cut off at the end", num(cut), "0", cut == 0,
		fmt.Sprintf("%s still running when k6 gave up waiting, so the slowest are missing%s", were(cut), cutOff(l))))

	// The schedule may begin or end one fetch off the whole second, and each stage may.
	slack := 0.0
	if l.MeasuredSeconds > 0 {
		slack = float64(1+len(l.Stages)) / l.MeasuredSeconds
	}
	late, seconds := l.Drained()
	allowed := (1 - v.MinAchieved) * l.OfferedRate * l.MeasuredSeconds
	drain := s.because(check("valid/drain", "fetches answered only after the load had ended",
		fmt.Sprintf("%d in %s s", late, num(seconds)),
		fmt.Sprintf("<= %s of those offered", Percent(1-v.MinAchieved)), float64(late) <= allowed+slack*l.MeasuredSeconds,
		fmt.Sprintf("%d fetches were answered only in the %s s after the load had ended: the server carried less than it "+
			"was asked for", late, num(seconds))))

	rate, share := l.Achieved(), 0.0
	if l.OfferedRate > 0 {
		share = rate / l.OfferedRate
	}
	achieved := check("valid/achieved-rate", "achieved of the offered rate", Percent(share), ">= "+Percent(v.MinAchieved),
		l.OfferedRate > 0 && rate+slack >= v.MinAchieved*l.OfferedRate,
		fmt.Sprintf("%s of %s fetches/s were completed in time", num(rate), num(l.OfferedRate)))
	switch {
	case l.Dropped == 0 && cut == 0 && late == 0: // what was never started is no server's
		achieved.Owner = result.OwnerMachine
	case cut == 0 && drain.Verdict == result.Pass:
		achieved.Owner = drops.Owner
	default:
		achieved = s.because(achieved)
	}
	return []result.Check{drops, interrupted, drain, achieved}
}

// were counts fetches in words.
func were(n float64) string {
	if n == 1 {
		return "1 fetch was"
	}
	return num(n) + " fetches were"
}

// cutOff says what fetches that were cut off were doing, and for how long; empty where the load
// generator did not say.
func cutOff(l *result.Load) string {
	var doing []string
	for step, words := range map[string]string{
		"connect": "connecting", "tls": "in the TLS handshake", "first_byte": "waiting for the answer",
		"body": "reading the answer", "back_off": "waiting to repeat a call",
	} {
		if n := l.Extra["interrupted_"+step]; n > 0 {
			doing = append(doing, num(n)+" "+words)
		}
	}
	if len(doing) == 0 {
		return ""
	}
	slices.Sort(doing)
	return fmt.Sprintf(" (%s, for %s s on average)", strings.Join(doing, ", "),
		num(l.Extra["interrupted_ms"]/l.Extra["interrupted"]/1000))
}

// debtor decides who owes dropped arrivals. An arrival is dropped where no VU is free. The server
// held the VUs where requests took so long that those made before the start cannot have been
// enough: with V of them and r arrivals per second all are busy at once only if one has been for
// V/r seconds, as each was started within the time that the slowest takes. Where no request took
// that long, k6 itself was late; so it may have been where the machine was in trouble. Requests
// that were cut off at the end took longer than any that was recorded.
func (s *circumstances) debtor(c result.Check) result.Check {
	l := s.topology.Load
	vus, slowest := float64(l.Generator.InitialVUs), l.Actual.Max
	patience := 1000 * vus / max(l.JudgedRate(), 1e-9)
	switch {
	case s.trouble != "":
		return s.because(c)
	case vus > 0 && l.Actual.Count > 0 && l.Extra["interrupted"] == 0 && slowest < patience:
		c.Owner = result.OwnerMachine
		c.Reason += fmt.Sprintf("; k6 owes them: its %s VUs last for %s ms, and no request took more than %s ms", num(vus),
			num(patience), num(slowest))
	default:
		c.Owner = result.OwnerSubject
		c.Reason += fmt.Sprintf("; the server held the VUs: a request took up to %s ms, and the generator had CPU",
			num(slowest))
	}
	return c
}

// incident is a kind of event that no one should cause under load.
type incident struct{ id, title string }

func incidentKinds() []incident {
	return []incident{
		{"restart", "unplanned restarts and out-of-memory kills"},
		{"replacement", "unplanned evictions, deletions and failures of pods"},
		{"leadership", "unplanned changes of the active pod"},
		{"database", "times in which OpenBao's database stood still"},
	}
}

// maxNamed is how many events a reason names; the timeline has them all.
const maxNamed = 5

// incidents asks that nothing of each kind happened unplanned under load. The gravest event
// decides a kind: one that proves a fault of the subject, then a doubt about the subject, then
// what the machine did.
func (s *circumstances) incidents() []result.Check {
	var out []result.Check
	for _, kind := range incidentKinds() {
		w := s.topology.Load.Whole()
		verdict, owner := result.Inconclusive, result.OwnerMachine
		var seen []string
		for _, e := range append(slices.Clone(s.topology.Events), s.topology.UnseenDatabase()...) {
			oom := kind.id == "restart" && strings.Contains(e.Detail, "OOM")
			if e.Planned || !w.Contains(e.At) || e.Kind != kind.id && !oom {
				continue
			}
			f := s.finding(e)
			text := fmt.Sprintf("%s at %+.0f s", e.Detail, e.At.Sub(w.From).Seconds())
			if f.why != "" {
				text += " (" + f.why + ")"
			}
			if f.verdict == result.Fail {
				verdict, owner = result.Fail, result.OwnerSubject
				seen = slices.Insert(seen, 0, text)
				continue
			}
			if f.owner == result.OwnerSubject {
				owner = result.OwnerSubject
			}
			seen = append(seen, text)
		}
		n := len(seen)
		if n > maxNamed {
			seen = append(seen[:maxNamed], fmt.Sprintf("and %d more", n-maxNamed))
		}
		c := check("valid/"+kind.id, kind.title, fmt.Sprint(n), "0", n == 0, strings.Join(seen, "; "))
		if c.Owner = result.OwnerSubject; n > 0 {
			c.Verdict, c.Owner = verdict, owner
		}
		out = append(out, c)
	}
	return out
}

// finding is what one event says.
type finding struct {
	verdict result.Verdict // Fail or Inconclusive
	owner   string
	why     string // the machine's part in it, or what it proves
}

func doubt(owner, why string) finding { return finding{result.Inconclusive, owner, why} }

func proven(why string) finding { return finding{result.Fail, result.OwnerSubject, why} }

// finding decides whether an event proves a fault of the subject, leaves a doubt about it, or is
// the machine's. docs/verdict.md has the table.
func (s *circumstances) finding(e result.Event) finding {
	switch {
	case e.Kind == "replacement":
		return s.replaced(e)
	case e.Kind == "restart":
		return s.restarted(e)
	case strings.Contains(e.Detail, "SystemOOM") || strings.Contains(e.Detail, "System OOM"):
		return doubt(result.OwnerMachine, "the node ran out of memory")
	case e.Kind == "kubernetes": // an OOM kill by its warning; the restart tells whose
		return doubt(result.OwnerSubject, "")
	case s.around(e.At) != "":
		return doubt(result.OwnerMachine, s.around(e.At))
	case e.Kind == "database" && s.watched && !strings.HasPrefix(e.Detail, result.DatabaseUnseen):
		return proven("the machine was fine")
	}
	return doubt(result.OwnerSubject, "")
}

// What counts as a crowd about the time of an event: OpenBao renews its lock every 5 s, and loses
// it after 15.
const (
	briefSpan = 5 * time.Second
	before    = 20 * time.Second
	after     = 5 * time.Second
)

// around is the machine's trouble during the load, or else about the time of an event: a short
// crowd moves no quantile and may lose a lease.
func (s *circumstances) around(at time.Time) string {
	if s.trouble != "" {
		return s.trouble
	}
	for from := at.Add(-before); !from.Add(briefSpan).After(at.Add(after)); from = from.Add(time.Second) {
		share, ok := strangers(s.topology, s.host, result.Window{From: from, To: from.Add(briefSpan)})
		if ok && share > maxOthers {
			return fmt.Sprintf("other processes used %s of the host's CPUs at that time", Percent(share))
		}
	}
	return ""
}

// Exit codes of a container: 128 and the number of the signal that ended it, and what Go's runtime
// uses for a panic.
const (
	exitPanic    = 2
	exitAborted  = 134
	exitKilled   = 137
	exitSegfault = 139
)

// crashed reports whether a process ended by a defect in itself: a panic, an abort or a
// segmentation fault. That it ended with another error may be for want of a disk, a thread or a
// database.
func crashed(e result.Event) bool {
	return e.ExitCode == exitAborted || e.ExitCode == exitSegfault || e.Component == "openbao" && e.ExitCode == exitPanic
}

// restarted: an out-of-memory kill is the container's own where the machine had the memory to let
// it reach its limit; so is a crash, since a process that gets no memory ends in one, too. One
// that was told to end or killed was so by someone, such as the kubelet for a probe that came
// late.
func (s *circumstances) restarted(e result.Event) finding {
	short, known := shortage(s.topology, e.Name, e.At)
	trouble := s.around(e.At)
	fine := judged(e.Component) && s.watched && known && trouble == ""
	switch killed := e.Reason == "OOMKilled"; {
	case fixture(e.Component):
		return doubt(result.OwnerMachine, "it belongs to Steamer")
	case short && (killed || e.ExitCode == exitKilled || crashed(e)):
		return doubt(result.OwnerMachine, "the machine had too little memory left to let it reach its limit")
	case killed && fine:
		return proven("it exceeded its own memory limit, and the machine was fine")
	case crashed(e) && fine:
		return proven("it crashed, and the machine was fine")
	case !killed && !crashed(e) && trouble != "":
		return doubt(result.OwnerMachine, trouble)
	}
	return doubt(result.OwnerSubject, trouble)
}

// judged reports whether a component is one of those that the tier's load is about.
func judged(component string) bool { return component == "openbao" || component == "postgresql" }

// ownLimits are how the kubelet says that a pod exceeded a limit of its own, and not that the node
// was short (pkg/kubelet/eviction/helpers.go of Kubernetes: podEphemeralStorageMessageFmt,
// containerEphemeralStorageMessageFmt, emptyDirMessageFmt).
func ownLimits() []string {
	return []string{
		"exceeds the total limit of containers", "exceeded its local ephemeral storage limit",
		"exceeds the limit",
	}
}

// ofTheNode are reasons for the end of a pod that its node, the scheduler or whoever runs the
// cluster gives.
func ofTheNode() []string {
	return []string{
		"Evicted", "TerminationByKubelet", "EvictionByEvictionAPI", "PreemptionByScheduler", "DeletionByTaintManager",
		"DeletionByPodGC",
		"NodeShutdown", "Terminated", "NodeLost", "NodeAffinity", "UnexpectedAdmissionError", "OutOfcpu", "OutOfmemory",
		"OutOfpods", "Preempting",
	}
}

func (s *circumstances) replaced(e result.Event) finding {
	own := slices.ContainsFunc(ownLimits(), func(text string) bool { return strings.Contains(e.Message, text) })
	switch {
	case fixture(e.Component):
		return doubt(result.OwnerMachine, "it belongs to Steamer")
	case own && judged(e.Component):
		return proven("it exceeded a limit of its own")
	case own:
		return doubt(result.OwnerSubject, "it exceeded a limit of its own")
	case slices.Contains(ofTheNode(), e.Reason):
		return doubt(result.OwnerMachine, "the node or who runs the cluster did it")
	}
	return doubt(result.OwnerSubject, s.around(e.At))
}
