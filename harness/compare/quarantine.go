package compare

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// QuarantineKind is the value of Quarantine.Kind.
const QuarantineKind = "Quarantine"

// LongestQuarantine is how long an entry may hold, from its beginning to its end. Whoever needs
// more calibrates again.
const LongestQuarantine = 30 * 24 * time.Hour

// Quarantine lists metrics that are too noisy to show that B is no worse. Until their expiry they
// need not pass, but they fail a comparison like any other: what is too noisy to show equality can
// still show a regression. A nil Quarantine holds none.
type Quarantine struct {
	APIVersion string        `json:"apiVersion"` // result.APIVersion
	Kind       string        `json:"kind"`
	Metrics    []Quarantined `json:"metrics"`
	// At is when the judgement is made, from which expiries are counted, whenever the comparison
	// was; the zero value is now.
	At time.Time `json:"-"`
}

// Quarantined is one metric that need not pass.
type Quarantined struct {
	Metric  string    `json:"metric"` // one of Recorded
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires"` // from then on it has to pass again; at most LongestQuarantine after Since
}

// now is when the judgement is made.
func (q *Quarantine) now() time.Time {
	if q.At.IsZero() {
		return time.Now()
	}
	return q.At
}

// reason says why a metric need not pass, and until when; empty where it has to.
func (q *Quarantine) reason(metric string) string {
	if q == nil {
		return ""
	}
	for _, m := range q.Metrics {
		if m.Metric == metric && !q.now().Before(m.Since) && q.now().Before(m.Expires) {
			return m.Reason + " (until " + m.Expires.Format(time.DateOnly) + ")"
		}
	}
	return ""
}

// ended names the metrics of a design whose quarantine is over.
func (q *Quarantine) ended(d Design) []string {
	if q == nil {
		return nil
	}
	var out []string
	for _, m := range q.Metrics {
		decides := slices.ContainsFunc(d.GateMetrics, func(g GateMetric) bool { return g.Name == m.Metric })
		if decides && q.reason(m.Metric) == "" {
			out = append(out, fmt.Sprintf("the quarantine of %s ended on %s, so that it has to pass again (%s)",
				m.Metric, m.Expires.Format(time.DateOnly), m.Reason))
		}
	}
	return out
}

var quarantines = document.Codec[Quarantine]{
	APIVersion: result.APIVersion, Kind: QuarantineKind, YAML: true,
	Hint: "steamer calibrate --write-quarantine writes one", Check: (*Quarantine).check,
}

// ParseQuarantine reads a quarantine file, YAML or JSON; errors are of code exit.Invalid. An entry
// without a reason, a beginning and an end, and one that begins in the future or holds longer than
// LongestQuarantine is refused: a metric must not leave the gate for ever, nor without a recorded
// reason.
func ParseQuarantine(name string, data []byte) (*Quarantine, error) {
	return quarantines.Decode(name, data)
}

func (q *Quarantine) check() error {
	for i, m := range q.Metrics {
		at := fmt.Sprintf("metrics[%d]", i)
		switch last := m.Expires.Sub(m.Since); { // which does not overflow, but ends at 292 years
		case !slices.Contains(Recorded(), m.Metric):
			return exit.Invalidf(at, "use one of "+strings.Join(Recorded(), ", "), "there is no metric %q", m.Metric)
		case strings.TrimSpace(m.Reason) == "" || m.Since.IsZero() || m.Expires.IsZero():
			return exit.Invalidf(at, "give each entry a reason, since and expires", "%s lacks one of them", m.Metric)
		case m.Since.After(q.now()):
			return exit.Invalidf(at, "begin it when it was found to be noisy",
				"the quarantine of %s begins in the future, on %s", m.Metric, m.Since.Format(time.DateTime))
		case last <= 0 || last > LongestQuarantine:
			return exit.Invalidf(at, "calibrate again, and let it end within 30 days of its beginning",
				"the quarantine of %s lasts from %s to %s",
				m.Metric, m.Since.Format(time.DateOnly), m.Expires.Format(time.DateOnly))
		}
	}
	return nil
}

// ReadQuarantine reads the quarantine file at path; "" gives none.
func ReadQuarantine(path string) (*Quarantine, error) {
	if path == "" {
		return nil, nil
	}
	return quarantines.ReadFile(path)
}
