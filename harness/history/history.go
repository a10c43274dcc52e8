// Package history keeps the results of runs in a directory and looks for the
// night from which on a metric was another one. It opens questions; it judges nothing.
package history

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
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
	if err := Free(dir, r); err != nil {
		return "", err
	}
	path := pathOf(dir, r)
	return path, result.WriteFile(path, r)
}

// Free reports whether a result can be appended to dir; that it is there already is an error of code exit.Invalid.
func Free(dir string, r *result.Result) error {
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
// deep, so that a directory of run directories is a history as well. Other JSON
// documents are passed over; a damaged result, or one of another schema version,
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
		if d.Name() != "result.json" && !strings.Contains(string(data[:min(len(data), 400)]), `"kind": "`+result.Kind+`"`) {
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

// Series is one metric over the runs that measured the same thing.
type Series struct {
	Topology, Profile, Tier, Mode string
	Metric, Title, Unit           string
	Points                        []Point
	Skipped                       int // runs whose measurement was not valid
	Changes                       []Change
}

// Point is the metric of one run.
type Point struct {
	At    time.Time
	Run   string
	Chart string // version
	Value float64
}

// Change is a change point with the run that begins the new level.
type Change struct {
	stats.ChangePoint
	First Point
}

// Ratio is the new level over the old one.
func (c Change) Ratio() float64 { return c.After / c.Before }

// Metrics lists what is followed.
func Metrics() []string {
	return []string{
		"fetch_mean_ms", "fetch_p50_ms", "fetch_p95_ms", "fetch_p99_ms", "openbao_cpu_ms_per_fetch", "postgresql_cpu_ms_per_fetch",
		"openbao_memory_mib",
	}
}

// MaxRuns is how many of the latest runs are looked at: more than a year of nights.
const MaxRuns = 500

// Trends makes the series of runs and looks for changes of at least minChange,
// 0.05 is 5 %. Runs of different topology, profile, tier or mode never share a
// series. A partial run, and a measurement that missed a validity condition, are skipped and counted.
func Trends(runs []*result.Result, minChange float64) ([]Series, error) {
	if len(runs) > MaxRuns {
		runs = runs[len(runs)-MaxRuns:]
	}
	index := map[string]*Series{}
	var order []string
	for _, r := range runs {
		for i := range r.Topologies {
			t := &r.Topologies[i]
			if t.Load == nil {
				continue
			}
			for _, metric := range Metrics() {
				reading, err := gate.Read(metric, t)
				if err != nil {
					return nil, err
				}
				key := strings.Join([]string{t.Name, r.Run.Profile, r.Run.Tier, t.Load.Mode, metric}, "|")
				s := index[key]
				if s == nil {
					s = &Series{
						Topology: t.Name, Profile: r.Run.Profile, Tier: r.Run.Tier, Mode: t.Load.Mode, Metric: metric,
						Title: reading.Title, Unit: reading.Unit,
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

// valid reports whether every validity condition that was judged holds. Informational ones, such as a host smaller than the tier, are the same every
// night; a crowded host is not, and would show as a change of the chart.
func valid(t *result.Topology) bool {
	return !slices.ContainsFunc(t.Checks, func(c result.Check) bool {
		return c.Kind == "validity" && c.Verdict != result.Pass && (!c.Informational || c.ID == gate.IDHostCrowded)
	})
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
