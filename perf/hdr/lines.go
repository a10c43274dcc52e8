package hdr

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// formatVersion is the "v" of every line.
const formatVersion = 1

// headerLine is the first line of the log.
type headerLine struct {
	V     int       `json:"v"`
	Kind  string    `json:"kind"` // "header"
	Start time.Time `json:"start"`
	Unit  string    `json:"unit"` // of the histograms: "us"
	// Segment is k6's execution segment: which share of the schedule this process had, "0:1" for
	// all of it.
	Segment string `json:"segment"`
}

// intervalLine is one second of one phase. Histograms are in HdrHistogram's V2 compressed
// encoding, base64; empty ones are left out.
type intervalLine struct {
	V       int               `json:"v"`
	Kind    string            `json:"kind"` // "interval"
	StartMs int64             `json:"start_ms"`
	EndMs   int64             `json:"end_ms"`
	Phase   string            `json:"phase"`
	Hist    map[string]string `json:"hist"`
	Count   map[string]int64  `json:"count"`
	VUs     int64             `json:"vus"`
}

// summaryLine is the last line; a log without it was cut short.
type summaryLine struct {
	V      int    `json:"v"`
	Kind   string `json:"kind"` // "summary"
	MaxVUs int64  `json:"max_vus"`
	K6     string `json:"k6"`
	// Partial says that the run was stopped before its end, Reason why.
	Partial bool   `json:"partial,omitempty"`
	Reason  string `json:"reason,omitempty"`
	usage
}

// usage is what the process has used of its machine since it began. What the operating system does
// not report is left out.
type usage struct {
	CPUSeconds float64 `json:"cpu_s,omitempty"` // user and system
	MaxRSSMiB  float64 `json:"max_rss_mib,omitempty"`
	CPUs       int     `json:"cpus,omitempty"` // that it could use at once: GOMAXPROCS, which follows a container's limit
}

func writeLine(w io.Writer, line any) error {
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// always are the counts that every interval has, so that zero differs from unknown.
func always() []string {
	return []string{"fetches", "failed", "wrong", "dropped", "attempts", "attempts_failed"}
}

// line renders the interval.
func (iv *interval) line(vus int64) (intervalLine, error) {
	l := intervalLine{
		V: formatVersion, Kind: "interval",
		StartMs: iv.second * 1000, EndMs: iv.second*1000 + 1000,
		Phase: iv.phase, Hist: map[string]string{}, Count: iv.count, VUs: vus,
	}
	for _, name := range always() {
		l.Count[name] += 0
	}
	all := map[string]*hdrhistogram.Histogram{
		"fetch_actual": iv.actual, "fetch_intended": iv.intended, "failed_actual": iv.failed.actual,
		"failed_intended": iv.failed.intended,
	}
	for name, h := range iv.steps {
		all["step_"+string(name)] = h
	}
	for name, h := range iv.kinds {
		all["kind_"+name] = h
	}
	for name, h := range all {
		if h.TotalCount() == 0 {
			continue
		}
		b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			return l, fmt.Errorf("encode histogram %s: %w", name, err)
		}
		l.Hist[name] = string(b)
	}
	return l, nil
}
