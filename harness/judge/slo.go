// Package judge judges results: it checks whether a measurement is valid,
// compares it with service level objectives (SLOs), and derives the verdict of
// each topology and of the run. It reads only the Result and the SLO file, so a
// verdict can be derived again from a finished run.
package judge

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// SLO is the file of objectives, perf/slo.yaml.
type SLO struct {
	APIVersion string `json:"apiVersion"` // "steamer/v1"
	Kind       string `json:"kind"`       // "SLO"
	Name       string `json:"name"`
	// EnvironmentLatency in ms, 0 to 1000, is added to every latency limit: what the way between
	// client and OpenBao costs and the chart must not be charged with.
	EnvironmentLatency float64     `json:"environmentLatency"`
	Entries            []Entry     `json:"entries"`             // the first that matches a topology applies
	Outages            []Outage    `json:"outages,omitempty"`   // budgets of changes; empty: those of perf/slo.yaml
	Sizing             []Size      `json:"sizing,omitempty"`    // rows of GitLab's sizing table; shown, not judged
	Reference          []Reference `json:"reference,omitempty"` // published numbers to compare with by eye; not judged

	// Path and SHA256, in hexadecimal, are those of the file that ReadSLO read.
	Path, SHA256 string `json:"-"`
}

// Entry gives the limits for the topologies it matches. An empty condition matches all.
type Entry struct {
	Chart    string    `json:"chart,omitempty"`    // chart version range, e.g. ">=0.12.0 <2"
	OpenBao  string    `json:"openbao,omitempty"`  // OpenBao version range
	Vault    string    `json:"vault,omitempty"`    // Vault version range
	Tier     []float64 `json:"tier,omitempty"`     // fetches per second, rows of the sizing table
	Topology string    `json:"topology,omitempty"` // a topology's name, or "any"
	Mode     string    `json:"mode,omitempty"`     // way to fetch, e.g. "inline"
	// EnvironmentLatency replaces the file's for this entry, for example for a topology whose
	// database is far away.
	EnvironmentLatency *float64 `json:"environmentLatency,omitempty"`
	Limits             []Limit  `json:"limits"`
}

// Limit bounds one metric. The limit itself still passes.
type Limit struct {
	Metric        string  `json:"metric"` // one of Metrics
	Op            string  `json:"op"`     // "<=", or ">=" for achieved_ratio
	Limit         float64 `json:"limit"`
	Source        string  `json:"source"`                  // where the number comes from
	Informational bool    `json:"informational,omitempty"` // shown, but no part of the verdict
}

// Reference is a published threshold that Steamer does not judge.
type Reference struct {
	Metric      string `json:"metric"`
	Normal      string `json:"normal"`
	Investigate string `json:"investigate"`
	Source      string `json:"source"`
}

// Size is a row of GitLab's sizing table: what an OpenBao pod is given for a rate of fetches.
type Size struct {
	Tier       float64 `json:"tier"`       // fetches per second, the upper end of the row
	CPURequest string  `json:"cpuRequest"` // Kubernetes quantity; the limit is twice the request
	Memory     string  `json:"memory"`     // Kubernetes quantity, request and limit
	Pods       int     `json:"pods"`       // one active, the rest standby
	Source     string  `json:"source"`
}

var codec = document.Codec[SLO]{
	APIVersion: result.APIVersion, Kind: "SLO", YAML: true, Hint: "see docs/reference for the fields of an SLO file",
}

// ParseSLO reads an SLO file; name is used in errors, which are of code
// exit.Invalid and name the entry.
func ParseSLO(name string, data []byte) (*SLO, error) {
	s, err := codec.Decode(name, data)
	if err != nil {
		return nil, err
	}
	if err := limitsGiven(data); err != nil {
		return nil, exit.Invalidf(name, "give each limit a number; 0 is one", "%w", err)
	}
	if err := s.validate(); err != nil {
		return nil, exit.Invalidf(name, "correct the SLO file", "%w", err)
	}
	return s, nil
}

// limitsGiven refuses a limit without its number. Decoded into a Limit it would read as 0, which
// bounds some metrics as nobody meant to and switches the condition on the achieved rate off.
// Whatever else is wrong with the file is not asked here.
func limitsGiven(data []byte) error {
	var file struct {
		Entries []struct {
			Limits []struct {
				Metric string   `json:"metric"`
				Limit  *float64 `json:"limit"`
			} `json:"limits"`
		} `json:"entries"`
		Outages []struct {
			Longest *float64 `json:"longest"`
			Sum     *float64 `json:"sum"`
			Failed  *float64 `json:"failed"`
		} `json:"outages"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return err
	}
	for i, e := range file.Entries {
		for _, l := range e.Limits {
			if l.Limit == nil {
				return fmt.Errorf("entries[%d]: metric %q: limit is required", i, l.Metric)
			}
		}
	}
	for i, o := range file.Outages {
		if o.Longest == nil || o.Sum == nil || o.Failed == nil {
			return fmt.Errorf("outages[%d]: longest, sum and failed are required", i)
		}
	}
	return nil
}

// ReadSLO reads the SLO file at path.
func ReadSLO(path string) (*SLO, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Invalidf(path, "name an SLO file such as perf/slo.yaml", "%w", err)
	}
	slo, err := ParseSLO(path, data)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	slo.Path, slo.SHA256 = path, hex.EncodeToString(sum[:])
	return slo, nil
}

// maxEnvironmentLatency in ms; an environment that needs more measures itself.
const maxEnvironmentLatency = 1000

func (s *SLO) validate() error {
	switch e := s.EnvironmentLatency; {
	case !(e >= 0 && e <= maxEnvironmentLatency):
		return fmt.Errorf("environmentLatency %v: want 0 to %d ms", e, maxEnvironmentLatency)
	case len(s.Entries) == 0:
		return fmt.Errorf("no entries")
	}
	for i, e := range s.Entries {
		if err := e.validate(); err != nil {
			return fmt.Errorf("entries[%d]: %w", i, err)
		}
	}
	for i, o := range s.Outages {
		if err := o.validate(); err != nil {
			return fmt.Errorf("outages[%d]: %w", i, err)
		}
	}
	for i, z := range s.Sizing {
		if !(z.Tier > 0) || z.CPURequest == "" || z.Memory == "" || z.Pods < 1 || z.Source == "" {
			return fmt.Errorf("sizing[%d]: tier, cpuRequest, memory, pods and source are required", i)
		}
	}
	for i, r := range s.Reference {
		if r.Metric == "" || r.Normal == "" || r.Source == "" {
			return fmt.Errorf("reference[%d]: metric, normal and source are required", i)
		}
	}
	return nil
}

func (e Entry) validate() error {
	for field, v := range map[string]string{"chart": e.Chart, "openbao": e.OpenBao, "vault": e.Vault} {
		if v == "" {
			continue
		}
		if _, err := semver.NewConstraint(v); err != nil {
			return fmt.Errorf("%s: version range %q: %w", field, v, err)
		}
	}
	for _, tier := range e.Tier {
		if !(tier > 0) || math.IsInf(tier, 0) {
			return fmt.Errorf("tier %v: want fetches per second, above 0", tier)
		}
	}
	switch {
	case e.Topology != "" && e.Topology != Any && !slices.Contains(Topologies(), e.Topology):
		return fmt.Errorf("topology %q: want one of %q, or %q", e.Topology, Topologies(), Any)
	case e.EnvironmentLatency != nil && !(*e.EnvironmentLatency >= 0 && *e.EnvironmentLatency <= maxEnvironmentLatency):
		return fmt.Errorf("environmentLatency %v: want 0 to %d ms", *e.EnvironmentLatency, maxEnvironmentLatency)
	case len(e.Limits) == 0:
		return fmt.Errorf("no limits")
	}
	seen := map[string]bool{}
	for _, l := range e.Limits {
		want := "<="
		if l.Metric == achievedRatio {
			want = ">="
		}
		switch {
		case !slices.Contains(Metrics(), l.Metric) || seen[l.Metric]:
			return fmt.Errorf("metric %q: want one of %q, each once", l.Metric, Metrics())
		case l.Op != want:
			return fmt.Errorf("%s: op %q: want %q", l.Metric, l.Op, want)
		case !(l.Limit >= 0) || math.IsInf(l.Limit, 0):
			return fmt.Errorf("%s: limit %v: want 0 or more", l.Metric, l.Limit)
		case l.Metric == achievedRatio && !(l.Limit > 0 && l.Limit <= 1):
			return fmt.Errorf("%s: limit %v: want a ratio above 0, at most 1", l.Metric, l.Limit)
		case l.Metric == wrongValues && (l.Limit != 0 || l.Informational):
			return fmt.Errorf("%s: a wrong secret is never tolerable: want limit 0", l.Metric)
		case l.Source == "":
			return fmt.Errorf("%s: source is required: say where the limit comes from", l.Metric)
		}
		seen[l.Metric] = true
	}
	return nil
}
