// Package merged makes one result of the logs that several k6 processes left behind, wherever they
// ran: runners of the k6-operator, pods of a Job, separate machines. It takes no part in driving
// them.
package merged

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// Spec says which logs belong together and what they are the record of.
type Spec struct {
	Logs      []string // files, see Find
	Profile   load.Profile
	Rate      float64       // fetches per second of all processes together
	Tolerance time.Duration // how much later than the first a process may begin
	Target    string        // where the load went, for the record
	// Environment is what the load was driven at, by name and versions; what was observed of it is
	// used where its time is the load's.
	Environment result.Topology
	// Frame is the run that the result shall be of, without topologies.
	Frame result.Result
	SLO   *judge.SLO
	// Unobserved accepts that nobody watched OpenBao while the load ran; without it such a result
	// is INCONCLUSIVE at best.
	Unobserved bool
}

// Extensions are what the names of logs in a directory end with.
func Extensions() []string { return []string{".ndjson", ".log"} }

// Find returns the logs that paths name: files as they are, directories by the files in them that
// end with one of Extensions. Errors are of code exit.Invalid.
func Find(paths []string) ([]string, error) {
	var logs []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, exit.Invalidf(path, "name a log, or a directory of logs", "%w", err)
		}
		if !info.IsDir() {
			logs = append(logs, path)
			continue
		}
		before := len(logs)
		for _, ext := range Extensions() {
			found, err := filepath.Glob(filepath.Join(path, "*"+ext))
			if err != nil {
				return nil, exit.Invalidf(path, "name the logs themselves", "%w", err)
			}
			logs = append(logs, found...)
		}
		if len(logs) == before {
			return nil, exit.Invalidf(path, "name the logs themselves", "no file in it ends with %s",
				strings.Join(Extensions(), " or "))
		}
	}
	slices.Sort(logs)
	for i, path := range logs {
		if i > 0 && path == logs[i-1] {
			return nil, exit.Invalidf(path, "name each log once", "it is named twice")
		}
	}
	return logs, nil
}

// Merge reads the logs twice: first to refuse what is none, with nothing written; then to write
// the merged log to what create returns. The result is judged. Errors are of code exit.Invalid, or
// create's and its writer's own.
func Merge(s Spec, create func(*result.Result) (io.WriteCloser, error)) (*result.Result, error) {
	rec := &load.Recorder{Thresholds: s.thresholds()}
	parts, err := load.MergeFiles(rec, s.Logs)
	if err != nil {
		return nil, err
	}
	l, err := rec.Finish(s.job().Plan())
	if err != nil {
		return nil, exit.Invalidf("merged log", "use logs of one load, all written by the same release of the extension",
			"%w", err)
	}
	s.describe(l, parts)
	r := s.result(l)
	log, err := create(r)
	if err != nil {
		return nil, err
	}
	if _, err = load.MergeFiles(log, s.Logs); err != nil {
		_ = log.Close() // the other error says more
		return nil, err
	}
	return r, log.Close()
}

// thresholds are the latency limits that will judge the load.
func (s Spec) thresholds() []result.Threshold {
	u := judge.Subject{Topology: s.Environment.Name, Mode: s.Profile.Mode, Tier: s.Frame.Run.Tier}
	return s.SLO.Thresholds(u, s.Frame.Run.EnvironmentLatency)
}

// job is the load that all the processes drove together.
func (s Spec) job() load.Job { return load.Job{Profile: s.Profile, Rate: s.Rate, Target: s.Target} }

// describe completes the load: its parts, what they used, and why they are not one load together.
func (s Spec) describe(l *result.Load, parts []result.LoadPart) {
	s.job().Describe(l)
	l.Parts = parts
	l.Settle()
	problems := load.CheckShares(parts, s.Tolerance, s.Rate)
	if l.Partial != "" {
		problems = append([]string{l.Partial}, problems...)
	}
	l.Partial = strings.Join(problems, "; ")
	whole := l.Whole()
	seconds := whole.To.Sub(whole.From).Seconds()
	known := true
	for _, p := range parts {
		g := &l.Generator
		g.CPUSeconds += p.CPUSeconds
		g.MaxRSSMiB = max(g.MaxRSSMiB, p.MaxRSSMiB)
		if known = known && p.CPUSeconds > 0 && p.CPUs > 0 && seconds > 0; known {
			g.CPUShare = max(g.CPUShare, p.CPUSeconds/(seconds*float64(p.CPUs))) // each has CPUs of its own: the busiest counts
		}
	}
	if !known {
		l.Generator.CPUShare = 0
	}
}

// result is the frame with the one topology.
func (s Spec) result(l *result.Load) *result.Result {
	t := s.Environment
	t.Load, t.Scenarios, t.Checks, t.Reasons, t.Observer = l, []result.Scenario{}, []result.Check{}, []string{}, nil
	t.NotMeasured = slices.Clone(t.NotMeasured)
	watched := slices.ContainsFunc(t.Resources, func(r result.ResourceSeries) bool {
		return slices.ContainsFunc(r.Samples, func(sample result.ResourceSample) bool {
			return l.Whole().Contains(
				sample.At)
		})
	})
	if !watched {
		t.Resources, t.Events, t.Server, t.Database = nil, nil, nil, nil
		t.NotMeasured = append(t.NotMeasured, "restarts, leadership, CPU and memory of OpenBao and PostgreSQL: "+
			"this result was merged from logs of load generators, which do not observe them")
	}
	t.Cost = nil
	t.Cost = t.DeriveCost()
	r := s.Frame
	r.Topologies = []result.Topology{t}
	r.Run.Started, r.Run.Finished = l.Start, l.Whole().To.UTC()
	r.Run.Profile = cmp.Or(r.Run.Profile, s.Profile.Name)
	validity := judge.DefaultValidity()
	validity.Unobserved, validity.UnobservedGenerators = s.Unobserved && !watched, true
	judge.Judge(&r, judge.Policy{SLO: s.SLO, Validity: validity, Expect: judge.Expect{Load: true}})
	return &r
}

// Environment picks the topology of a finished run that the load was driven at: name, or the only
// one. Errors are of code exit.Invalid.
func Environment(path string, r *result.Result, name string) (result.Topology, error) {
	var names []string
	for _, t := range r.Topologies {
		if t.Name == name || name == "" && len(r.Topologies) == 1 {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return result.Topology{}, exit.Invalidf(path, "choose with --topology from "+strings.Join(names, ", "), "%s",
		fmt.Sprintf("it has no topology %q, or several", name))
}
