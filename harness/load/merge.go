package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/load/hdr"
	"gitlab.com/steamer/steamer/harness/result"
)

// behind is the part whose log has got least far; -1 when all have ended.
func (m *Merger) behind() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	least := -1
	for i, p := range m.parts {
		if !p.done && (least < 0 || p.lastMS < m.parts[least].lastMS) {
			least = i
		}
	}
	return least
}

// failed reports whether nothing can be merged any more; the failure of a part is no such.
func (m *Merger) failed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err != nil
}

// Merger folds the interval logs of k6 processes that shared a schedule by execution segments into
// the log that one process would have written: counts are added and histograms merged bucket by
// bucket, second by second and phase by phase, so that every quantile of the merged log is that of
// all fetches together. Seconds are those of the processes' own clocks.
//
// A second is written once all processes have gone beyond it; what is kept meanwhile are lines of
// a few KiB each. Parts may be written from several goroutines; To is written to from whichever
// completes a second.
type Merger struct {
	mu     sync.Mutex
	to     io.Writer
	parts  []*part
	begun  bool // the header is written
	open   map[slot][]*line
	err    error
	closed bool
}

// slot is one interval of the merged log.
type slot struct {
	startMS int64
	phase   string
}

// part is one process's log.
type part struct {
	merger  *Merger
	name    string
	pending []byte
	number  int   // of lines
	lastMS  int64 // start of the last interval
	firstMS int64
	header  bool
	segment string // as the header has it
	summary *line
	usage   usage
	ended   bool // nobody waits for more of it
	done    bool // its log was read to the end
	err     error
	orphan  bool             // its first line belongs to a log whose beginning is not there
	counts  map[string]int64 // of the measured phase
	foreign io.Writer        // of lines that are not of the log; nil: they are an error
}

// NewMerger returns a Merger of the logs of the named processes, at least one, that writes the
// merged log to to, for example to a Recorder.
func NewMerger(to io.Writer, names ...string) *Merger {
	m := &Merger{to: to, open: map[slot][]*line{}}
	for _, name := range names {
		m.parts = append(m.parts, &part{merger: m, name: name, counts: map[string]int64{}})
	}
	return m
}

// Part is where the log of the i-th process goes. With a foreign writer, lines that are not of the
// log go there: a container's log holds k6's messages as well. A log that cannot be read is
// refused from that line on.
func (m *Merger) Part(i int, foreign io.Writer) io.Writer {
	p := m.parts[i]
	p.foreign = foreign
	return p
}

// Write takes the next bytes of one process's log, which may end anywhere. An error is this
// part's, and kept for Parts.
func (p *part) Write(b []byte) (int, error) {
	m := p.merger
	m.mu.Lock()
	defer m.mu.Unlock()
	for rest := b; len(rest) > 0 && p.err == nil && m.err == nil; {
		text, after, whole := bytes.Cut(rest, []byte{'\n'})
		rest = after
		if len(p.pending)+len(text) > maxLine {
			p.err = fmt.Errorf("line %d is longer than %d bytes", p.number+1, maxLine)
			break
		}
		p.pending = append(p.pending, text...)
		if whole {
			p.err = p.take()
		}
	}
	p.ended = p.ended || p.err != nil
	if m.err == nil {
		m.err = m.advance()
	}
	if p.err != nil {
		return 0, fmt.Errorf("%s: %w", p.name, p.err)
	}
	if m.err != nil {
		return 0, m.err
	}
	return len(b), nil
}

// take folds the pending line.
func (p *part) take() error {
	defer func() { p.pending = p.pending[:0] }()
	p.number++
	if p.foreign != nil && !isLog(p.pending) {
		return p.message()
	}
	l := &line{}
	if err := json.Unmarshal(p.pending, l); err != nil {
		return fmt.Errorf("line %d is not k6 interval output: %w", p.number, err)
	}
	if err := p.check(l); err != nil {
		p.orphan = !p.header && l.Kind != "header"
		return fmt.Errorf("line %d: %w", p.number, err)
	}
	switch l.Kind {
	case "header":
		p.header = true
		return p.describe(&struct {
			Segment *string `json:"segment"`
		}{&p.segment})
	case "summary":
		p.summary, p.ended = l, true
		return p.describe(&p.usage)
	default:
		p.lastMS = l.StartMS
		if p.firstMS == 0 {
			p.firstMS = l.StartMS
		}
		if l.Phase == measure {
			for name, n := range l.Count {
				p.counts[name] += n
			}
		}
		k := slot{l.StartMS, l.Phase}
		p.merger.open[k] = append(p.merger.open[k], l)
	}
	return nil
}

// usage is what a process says in its summary that it has used; zero is unknown.
type usage struct {
	CPUSeconds float64 `json:"cpu_s"`
	MaxRSSMiB  float64 `json:"max_rss_mib"`
	CPUs       int     `json:"cpus"`
}

// describe reads what the pending line says of the process itself.
func (p *part) describe(to any) error {
	if err := json.Unmarshal(p.pending, to); err != nil {
		return fmt.Errorf("line %d is not k6 interval output: %w", p.number, err)
	}
	return nil
}

// check refuses what the Recorder would refuse as well, but here the process that wrote it is
// known.
func (p *part) check(l *line) error {
	err := l.check(p.header, p.summary != nil)
	if err == nil && l.Kind == "interval" && l.StartMS < p.lastMS {
		err = fmt.Errorf("an interval that starts at %d ms after one at %d ms", l.StartMS, p.lastMS)
	}
	return err
}

// advance writes the intervals that all parts have gone beyond.
func (m *Merger) advance() error {
	if !m.begun {
		for _, p := range m.parts {
			if !p.header && !p.ended {
				return nil
			}
		}
		if err := m.write(&line{V: 1, Kind: "header", Unit: "us"}); err != nil {
			return err
		}
		m.begun = true
	}
	beyond := int64(1<<63 - 1)
	for _, p := range m.parts {
		if !p.ended {
			beyond = min(beyond, p.lastMS)
		}
	}
	due := slices.SortedFunc(maps.Keys(m.open), func(a, b slot) int {
		if a.startMS != b.startMS {
			return int(a.startMS - b.startMS)
		}
		return -strings.Compare(a.phase, b.phase) // "warmup" before "measure", as they follow one another
	})
	for _, k := range due {
		if k.startMS >= beyond {
			break
		}
		merged, err := merge(m.open[k])
		if err != nil {
			return fmt.Errorf("second %d of phase %s: %w", k.startMS/1000, k.phase, err)
		}
		if err := m.write(merged); err != nil {
			return err
		}
		delete(m.open, k)
	}
	return nil
}

// merge adds up the lines of one interval.
func merge(lines []*line) (*line, error) {
	out := &line{
		V: 1, Kind: "interval", StartMS: lines[0].StartMS, EndMS: lines[0].EndMS, Phase: lines[0].Phase,
		Hist: map[string]string{}, Count: map[string]int64{},
	}
	sums := map[string]*hdr.Sum{}
	for _, l := range lines {
		for name, n := range l.Count {
			out.Count[name] += n
		}
		out.VUs += l.VUs
		out.EndMS = max(out.EndMS, l.EndMS)
		for name, encoded := range l.Hist {
			h, err := hdr.Decode(encoded)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if sums[name] == nil {
				sums[name] = &hdr.Sum{}
			}
			if err := sums[name].Add(h); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for name, sum := range sums {
		encoded, err := hdr.Encode(sum.Histogram())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.Hist[name] = encoded
	}
	return out, nil
}

func (m *Merger) write(l *line) error {
	b, err := json.Marshal(l)
	if err == nil {
		_, err = m.to.Write(append(b, '\n'))
	}
	return err
}

// End says that no more will come from the i-th process, so that the others need not wait for it.
func (m *Merger) End(i int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts[i].ended, m.parts[i].done = true, true
	if m.err == nil {
		m.err = m.advance()
	}
	return m.err
}

// Close writes what is left and the summary. A part that is incomplete makes the summary partial,
// with the reason.
func (m *Merger) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.err != nil {
		return m.err
	}
	m.closed = true
	for _, p := range m.parts {
		p.ended = true
	}
	if m.err = m.advance(); m.err != nil {
		return m.err
	}
	summary := &line{V: 1, Kind: "summary"}
	var problems, versions []string
	for _, p := range m.parts {
		if problem := p.problem(); problem != "" {
			problems = append(problems, p.name+": "+problem)
		}
		if p.summary != nil {
			summary.MaxVUs += p.summary.MaxVUs
			if !slices.Contains(versions, p.summary.K6) {
				versions = append(versions, p.summary.K6)
			}
		}
	}
	summary.K6 = strings.Join(versions, ", ")
	summary.Partial, summary.Reason = len(problems) > 0, strings.Join(problems, "; ")
	m.err = m.write(summary)
	return m.err
}

// problem is why a part is incomplete; empty when it is not.
func (p *part) problem() string {
	switch {
	case p.err != nil:
		return p.err.Error()
	case !p.header:
		return "it wrote no log"
	case len(bytes.TrimSpace(p.pending)) > 0 && p.foreign == nil:
		return "its last line is cut off"
	case p.summary == nil:
		return "no summary: it was killed or could not write"
	case p.summary.Partial:
		return strings.TrimSuffix("it stopped before the end: "+p.summary.Reason, ": ")
	}
	return ""
}

// Parts describes the processes, for the record; call it after Close.
func (m *Merger) Parts() []result.LoadPart {
	m.mu.Lock()
	defer m.mu.Unlock()
	earliest := int64(0)
	for _, p := range m.parts {
		if p.firstMS > 0 && (earliest == 0 || p.firstMS < earliest) {
			earliest = p.firstMS
		}
	}
	var all []result.LoadPart
	for _, p := range m.parts {
		one := result.LoadPart{
			Name: p.name, Segment: p.segment, Fetches: p.counts["fetches"], Dropped: p.counts["dropped"], Problem: p.problem(),
			CPUSeconds: p.usage.CPUSeconds, MaxRSSMiB: p.usage.MaxRSSMiB, CPUs: p.usage.CPUs,
		}
		if p.firstMS > 0 {
			one.LateSeconds = (time.Duration(p.firstMS-earliest) * time.Millisecond).Seconds()
		}
		if p.summary != nil {
			one.MaxVUs = int(p.summary.MaxVUs)
		}
		all = append(all, one)
	}
	return all
}
