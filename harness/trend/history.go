// Package trend keeps the results of runs in a directory and looks for the
// night from which on a metric was another one. It opens questions; it judges nothing.
package trend

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/stats"
)

// Append copies a run's result into dir under a name that sorts by time. dir may
// be an object store that is mounted: files are only ever added, each in one
// piece. A result that is there already is an error of code exit.Invalid.
func Append(dir string, r *result.Result) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", exit.Invalidf("history "+dir, "name a directory that can be written", "%w", err)
	}
	if err := free(dir, r); err != nil {
		return "", err
	}
	path := pathOf(dir, r)
	return path, result.WriteFile(path, r)
}

// free reports whether a result can be appended to dir; that it is there already is an error of
// code exit.Invalid.
func free(dir string, r *result.Result) error {
	path := pathOf(dir, r)
	if _, err := os.Stat(path); err == nil {
		return exit.Invalidf(path, "leave it: the run is in the history", "it exists")
	}
	return nil
}

func pathOf(dir string, r *result.Result) string {
	return filepath.Join(dir, r.Run.Started.UTC().Format("20060102-150405")+"-"+filepath.Base(r.Run.ID)+".json")
}

// ErrEmpty is what Read says of a directory that holds no result.
var ErrEmpty = errors.New("it holds no result")

// Read reads every result below dir: files *.json of the kind Result, however
// deep, so that a directory of run directories is a history as well. Documents of
// other kinds are passed over, unless they are named result.json; a file that is
// not a whole JSON document, a damaged result, or one of another schema version
// is an error of code exit.Invalid, as is a directory without results. Runs are
// in the order of their start, each once.
func Read(dir string) ([]*result.Result, error) {
	var list []*result.Result
	seen := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return exit.Invalidf(dir, "name a directory that can be read", "%w", err)
		}
		if d.IsDir() || filepath.Ext(path) != ".json" || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return exit.Invalidf(path, "make it readable", "%w", err)
		}
		if !json.Valid(data) { // its kind is unknown: it may be a result, and a night must not be lost unseen
			return exit.Invalidf(path, "put the whole file there, or remove it", "it is not a complete JSON document")
		}
		if d.Name() != "result.json" && kindOf(data) != result.Kind {
			return nil
		}
		r, err := result.Decode(path, data)
		if err != nil {
			return err
		}
		if !seen[r.Run.ID] {
			seen[r.Run.ID], list = true, append(list, r)
		}
		return nil
	})
	if err == nil && len(list) == 0 {
		err = exit.Invalidf(dir, "name a directory of result.json files", "%w", ErrEmpty)
	}
	slices.SortFunc(list, func(a, b *result.Result) int {
		return cmp.Or(a.Run.Started.Compare(b.Run.Started), strings.Compare(a.Run.ID, b.Run.ID))
	})
	return list, err
}

// kindOf is the kind that a document says it is of; empty if it says none, as a list does.
func kindOf(data []byte) string {
	head, _ := document.HeadOf(data)
	return head.Kind
}

// Subject is what the runs of a series have in common: what was loaded, where, and how. The
// chart's version is not part of it, since that it changes is what a series is for. What a run
// does not tell is empty, as is Kubernetes where OpenBao ran as a process.
type Subject struct {
	Topology   string `json:"topology"`
	Chart      string `json:"chart"`                // name
	Kubernetes string `json:"kubernetes,omitempty"` // minor version, e.g. "1.36": another patch is not another thing to measure
	Profile    string `json:"profile"`
	Tier       string `json:"tier"`
	Rate       string `json:"rate"` // fetches per second offered, to three digits
	Mode       string `json:"mode"`
}

func subjectOf(r *result.Result, t *result.Topology) Subject {
	return Subject{
		Topology: t.Name, Chart: t.Chart.Name, Kubernetes: minor(t.Versions["kubernetes"]), Profile: r.Run.Profile,
		Tier: r.Run.Tier,
		Rate: rate(t.Load.OfferedRate), Mode: t.Load.Mode,
	}
}

// minor cuts a version to its first two numbers; one that cannot be read stays as it is.
func minor(version string) string {
	v, err := semver.NewVersion(version)
	if err != nil {
		return version
	}
	return fmt.Sprintf("%d.%d", v.Major(), v.Minor())
}

// rate rounds, because the mean of a rate that moves has digits that mean nothing.
func rate(perSecond float64) string {
	v, _ := strconv.ParseFloat(strconv.FormatFloat(perSecond, 'g', 3, 64), 64) // cannot fail: it was written just now
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// Labels tell subjects apart, in words. A tier is a rate: the rate is said only where it is
// another.
func (s Subject) Labels() []string {
	kubernetes, offered := "", s.Rate+"/s"
	if s.Kubernetes != "" {
		kubernetes = "Kubernetes " + s.Kubernetes
	}
	switch s.Tier {
	case "":
	case s.Rate:
		offered = "tier " + s.Tier
	default:
		offered = "tier " + s.Tier + " at " + offered
	}
	all := []string{s.Topology, s.Chart, kubernetes, s.Profile, offered, s.Mode}
	return slices.DeleteFunc(all, func(label string) bool { return label == "" })
}

// Series is one metric over the runs that measured the same thing.
type Series struct {
	Subject
	Metric  string   `json:"metric"`
	Title   string   `json:"title"`
	Unit    string   `json:"unit"`
	Points  []Point  `json:"points"`
	Skipped int      `json:"skipped"` // runs whose measurement was not valid
	Changes []Change `json:"changes"`
}

// Point is the metric of one run.
type Point struct {
	At    time.Time `json:"at"`
	Run   string    `json:"run"`
	Chart string    `json:"chart"` // version
	Value float64   `json:"value"`
}

// Change is a change point with the run that begins the new level.
type Change struct {
	stats.ChangePoint
	First Point `json:"first"`
}

// Ratio is the new level over the old one.
func (c Change) Ratio() float64 { return c.After / c.Before }

// Record is what trends.json holds.
type Record struct {
	APIVersion string   `json:"apiVersion"` // result.APIVersion
	Kind       string   `json:"kind"`       // Trends
	Series     []Series `json:"series"`
}

// NewRecord makes the record of trends.
func NewRecord(list []Series) Record {
	return Record{APIVersion: result.APIVersion, Kind: "Trends", Series: append([]Series{}, list...)}
}

// followed lists what is followed.
func followed() []string {
	return []string{
		"fetch_mean_ms", "fetch_p50_ms", "fetch_p95_ms", "fetch_p99_ms", "openbao_cpu_ms_per_fetch",
		"postgresql_cpu_ms_per_fetch",
		"openbao_memory_mib",
	}
}

// maxRuns is how many of the latest runs are looked at: more than a year of nights.
const maxRuns = 500

// Trends makes the series of runs and looks for changes of at least minChange,
// 0.05 is 5 %. Runs of different Subject never share a series. A partial run, and
// a measurement that missed a validity condition, are skipped and counted.
func Trends(runs []*result.Result, minChange float64) ([]Series, error) {
	if len(runs) > maxRuns {
		runs = runs[len(runs)-maxRuns:]
	}
	index := map[string]*Series{}
	var order []string
	for _, r := range runs {
		for i := range r.Topologies {
			t := &r.Topologies[i]
			if t.Load == nil {
				continue
			}
			subject := subjectOf(r, t)
			for _, metric := range followed() {
				reading, err := judge.Read(metric, t)
				if err != nil {
					return nil, err
				}
				key := strings.Join(append(subject.Labels(), metric), "|")
				s := index[key]
				if s == nil {
					s = &Series{
						Subject: subject, Metric: metric, Title: reading.Title, Unit: reading.Unit, Points: []Point{},
						Changes: []Change{},
					}
					index[key], order = s, append(order, key)
				}
				if reading.Missing != "" || r.Run.Partial || !valid(t) {
					s.Skipped++
					continue
				}
				s.Points = append(s.Points, Point{r.Run.Started, r.Run.ID, t.Chart.Version, reading.Value})
			}
		}
	}
	slices.Sort(order)
	var out []Series
	var failures []error
	for _, key := range order {
		failures = append(failures, index[key].look(minChange))
		out = append(out, *index[key])
	}
	return out, errors.Join(failures...)
}

// valid reports whether every validity condition that was judged holds. Informational ones, such
// as a host smaller than the tier, are the same every night; a host that is crowded or stands
// still is not, and would show as a change of the chart.
func valid(t *result.Topology) bool {
	return !slices.ContainsFunc(t.Checks, func(c result.Check) bool {
		return c.Kind == "validity" && c.Verdict != result.Pass && (!c.Informational || c.ID == judge.IDHostCrowded ||
			c.ID == judge.IDHostStalled)
	})
}

// LeastRuns is how many runs a series needs before anything can be seen in it. A step without any
// noise is one of at least two orders of the same n values that are as extreme, up and down; by
// permutation p is their share of the orders that there are, which are C(n, n/2) if the step is in
// the middle, and fewer else.
func LeastRuns() int {
	c := stats.DefaultChanges()
	n := 2 * c.Shortest
	for 2/orders(n) > c.MaxP {
		n++
	}
	return n
}

// orders is C(n, n/2), in how many orders n values can come of which one half is high and the
// other low.
func orders(n int) float64 {
	out := 1.0
	for i := range n / 2 {
		out *= float64(n-i) / float64(i+1)
	}
	return out
}

// look finds the changes.
func (s *Series) look(minChange float64) error {
	values := make([]float64, len(s.Points))
	for i, p := range s.Points {
		values[i] = p.Value
	}
	found, err := stats.ChangePoints(values, stats.Changes{})
	for _, c := range found {
		change := Change{c, s.Points[c.Index]}
		if r := change.Ratio(); r >= 1+minChange || r <= 1/(1+minChange) {
			s.Changes = append(s.Changes, change)
		}
	}
	return err
}
