// Package hdr is the k6 output "hdr": it folds the fetches of k6/x/openbao into one HDR histogram
// per second and phase, in bounded memory, and appends them as lines of JSON to a file:
//
//	k6 run --out hdr=intervals.ndjson script.js
//
// Histograms of several processes merge exactly, which percentiles do not. A second is written two
// seconds after it ended; the file is complete up to there even if the process is killed.
package hdr

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.k6.io/k6/v2/metrics"
	"go.k6.io/k6/v2/output"

	"gitlab.com/steamer/steamer/perf/openbao"
)

// settle is how long after its end an interval stays open. k6 hands samples on every 50 ms, so
// that only a process starved for two seconds has later ones; those are counted into the oldest
// second still open.
const settle = 2 * time.Second

// fileMode: the log has no secrets, but other users do not need it.
const fileMode fs.FileMode = 0o600

// Output is the k6 output. k6 calls AddMetricSamples from one goroutine, the flusher runs in
// another.
type Output struct {
	path   string
	share  string            // k6's execution segment
	phases map[string]string // of each scenario, from its configuration
	create func(path string) (io.WriteCloser, error)
	now    func() time.Time
	abort  func(error)

	file    io.WriteCloser
	flusher *output.PeriodicFlusher

	mu       sync.Mutex
	open     []*interval // by second, then in order of appearance; a handful at most
	spare    []*interval
	dropped  map[string]*drops // by scenario; none for those without
	writtenS int64             // seconds up to and including this one are written
	vus      int64
	maxVUs   int64
	err      error
}

var (
	_ output.WithStopWithTestError = (*Output)(nil)
	_ output.WithTestRunStop       = (*Output)(nil)
)

// New makes the output for --out hdr=<path>. The path may be a pipe such as /dev/fd/4.
func New(p output.Params) (output.Output, error) {
	if p.ConfigArgument == "" {
		return nil, errors.New("output hdr needs a file: --out hdr=<path>")
	}
	phases := map[string]string{}
	for name, scenario := range p.ScriptOptions.Scenarios {
		phases[name] = scenario.GetTags()["phase"]
	}
	return &Output{
		path: p.ConfigArgument, share: p.ScriptOptions.ExecutionSegment.String(), phases: phases,
		dropped: map[string]*drops{},
		abort:   func(error) {}, now: time.Now,
		create: func(path string) (io.WriteCloser, error) {
			return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fileMode) // #nosec G304 -- the user names the file
		},
	}, nil
}

// Description is what k6 prints before the run.
func (o *Output) Description() string { return fmt.Sprintf("hdr (%s)", o.path) }

// SetTestRunStopCallback sets how to stop the run when the file cannot be written any more: a run
// whose measurement is lost should not go on.
func (o *Output) SetTestRunStopCallback(stop func(error)) { o.abort = stop }

// Start creates the file, writes the header and begins to flush.
func (o *Output) Start() error {
	f, err := o.create(o.path)
	if err != nil {
		return fmt.Errorf("output hdr: %w", err)
	}
	o.file = f
	if err := writeLine(f, headerLine{
		V: formatVersion, Kind: "header", Start: o.now(), Unit: "us",
		Segment: o.share,
	}); err != nil {
		_ = f.Close()
		return fmt.Errorf("output hdr: %w", err)
	}
	o.flusher, err = output.NewPeriodicFlusher(time.Second, func() {
		o.flush(o.now().Add(-settle).Unix() - 1)
	})
	return err
}

// AddMetricSamples folds the samples into their intervals at once, so that none is kept.
func (o *Output) AddMetricSamples(containers []metrics.SampleContainer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range containers {
		if obs, ok := c.(*openbao.Observation); ok {
			o.at(obs.GetTime(), obs.Tags).add(obs, o.droppedBefore(obs))
			continue
		}
		for _, s := range c.GetSamples() {
			o.builtin(s)
		}
	}
}

// droppedBefore returns how many arrivals of its scenario were dropped before a fetch began.
func (o *Output) droppedBefore(obs *openbao.Observation) uint64 {
	if len(o.dropped) == 0 {
		return 0 // as in every valid run: no lookup for each fetch
	}
	scenario, _ := obs.Tags.Get("scenario")
	return o.dropped[scenario].until(obs.Result.Start)
}

// builtin records the few of k6's own samples that decide whether a run is valid.
func (o *Output) builtin(s metrics.Sample) {
	switch s.Metric.Name {
	case metrics.DroppedIterationsName:
		o.at(s.Time, s.Tags).count["dropped"] += int64(s.Value)
		scenario, _ := s.Tags.Get("scenario")
		if o.dropped[scenario] == nil {
			o.dropped[scenario] = &drops{}
		}
		o.dropped[scenario].add(s.Time, int64(s.Value))
	case metrics.VUsName:
		o.vus = int64(s.Value)
	case metrics.VUsMaxName:
		o.maxVUs = max(o.maxVUs, int64(s.Value))
	}
}

// at returns the interval for a sample of that time and phase.
func (o *Output) at(t time.Time, tags *metrics.TagSet) *interval {
	k := key{second: max(t.Unix(), o.writtenS+1)}
	k.phase = o.phase(tags)
	after := len(o.open)
	for i := after - 1; i >= 0 && o.open[i].second >= k.second; i-- {
		if o.open[i].key == k {
			return o.open[i]
		}
		if o.open[i].second > k.second {
			after = i
		}
	}
	iv := o.take()
	iv.reset(k)
	o.open = slices.Insert(o.open, after, iv)
	return iv
}

// phase returns the phase a sample belongs to. k6 does not put a scenario's own tags on its
// dropped iterations, only the scenario's name.
func (o *Output) phase(tags *metrics.TagSet) string {
	if phase, ok := tags.Get("phase"); ok {
		return phase
	}
	scenario, _ := tags.Get("scenario")
	return o.phases[scenario]
}

func (o *Output) take() *interval {
	n := len(o.spare)
	if n == 0 {
		return newInterval()
	}
	iv := o.spare[n-1]
	o.spare = o.spare[:n-1]
	return iv
}

// flush writes all intervals up to and including the given second.
func (o *Output) flush(upTo int64) {
	o.mu.Lock()
	var due []*interval
	for len(o.open) > 0 && o.open[0].second <= upTo {
		due = append(due, o.open[0])
		o.open = o.open[1:]
	}
	o.writtenS = max(o.writtenS, upTo)
	vus := o.vus
	o.mu.Unlock()

	// Encoding and writing happen outside the lock: k6 must not wait for a disk.
	err := o.write(due, vus)

	o.mu.Lock()
	o.spare = append(o.spare, due...)
	first := err != nil && o.err == nil
	if first {
		o.err = err
	}
	o.mu.Unlock()
	if first {
		o.abort(err)
	}
}

func (o *Output) write(due []*interval, vus int64) error {
	for _, iv := range due {
		l, err := iv.line(vus)
		if err == nil {
			err = writeLine(o.file, l)
		}
		if err != nil {
			return fmt.Errorf("output hdr: %w", err)
		}
	}
	return nil
}

// Stop ends a run that went to its end.
func (o *Output) Stop() error { return o.StopWithTestError(nil) }

// StopWithTestError writes what is left and the summary, marked partial if the run did not go to
// its end.
func (o *Output) StopWithTestError(runErr error) error {
	o.flusher.Stop()
	o.mu.Lock()
	last := o.writtenS
	if n := len(o.open); n > 0 {
		last = o.open[n-1].second
	}
	o.mu.Unlock()
	o.flush(last)

	s := summaryLine{V: formatVersion, Kind: "summary", MaxVUs: o.maxVUs, K6: k6Version(), usage: used()}
	if runErr != nil {
		s.Partial, s.Reason = true, runErr.Error()
	}
	err := o.err
	if err == nil {
		err = writeLine(o.file, s)
	}
	return errors.Join(err, o.file.Close())
}

// k6Version is the version of k6 this program was built with, "unknown" without build information.
func k6Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "go.k6.io/k6/v2" {
				return dep.Version
			}
		}
	}
	return "unknown"
}
