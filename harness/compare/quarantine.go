package compare

import (
	"os"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/result/strict"
)

// QuarantineKind is the value of Quarantine.Kind.
const QuarantineKind = "Quarantine"

// Quarantine lists metrics that are too noisy to decide anything. Until their
// expiry they are informational; a nil Quarantine holds none.
type Quarantine struct {
	APIVersion string        `json:"apiVersion"` // result.APIVersion
	Kind       string        `json:"kind"`
	Metrics    []Quarantined `json:"metrics"`
}

// Quarantined is one metric that must not decide.
type Quarantined struct {
	Metric  string    `json:"metric"` // one of Recorded
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires"` // from then on it decides again
}

// reason says why a metric must not decide at a time; empty when it may.
func (q *Quarantine) reason(metric string, at time.Time) string {
	if q == nil {
		return ""
	}
	for _, m := range q.Metrics {
		if m.Metric == metric && at.Before(m.Expires) {
			return m.Reason + " (until " + m.Expires.Format(time.DateOnly) + ")"
		}
	}
	return ""
}

// ParseQuarantine reads a quarantine file, YAML or JSON; errors are of code
// exit.Invalid. An entry without a reason or an expiry is refused: a metric must
// not leave the gate for ever without anybody knowing why.
func ParseQuarantine(name string, data []byte) (*Quarantine, error) {
	q := new(Quarantine)
	if err := strict.YAML(data, q); err != nil {
		return nil, exit.Invalidf(name, "steamer calibrate --quarantine writes one", "%w", err)
	}
	if q.APIVersion != result.APIVersion || q.Kind != QuarantineKind {
		return nil, exit.Invalidf(name, "steamer calibrate --quarantine writes one",
			"apiVersion %q, kind %q: want %q, %q", q.APIVersion, q.Kind, result.APIVersion, QuarantineKind)
	}
	for _, m := range q.Metrics {
		switch {
		case !slices.Contains(Recorded(), m.Metric):
			return nil, exit.Invalidf(name, "use one of "+strings.Join(Recorded(), ", "), "there is no metric %q", m.Metric)
		case m.Reason == "" || m.Expires.IsZero():
			return nil, exit.Invalidf(name, "give each entry a reason and an expiry", "%s has none", m.Metric)
		}
	}
	return q, nil
}

// ReadQuarantine reads the quarantine file at path; "" gives none.
func ReadQuarantine(path string) (*Quarantine, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Invalidf(path, "name a file that can be read", "%w", err)
	}
	return ParseQuarantine(path, data)
}
