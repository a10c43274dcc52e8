package load

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
)

// Profile says how hard and how long a workload runs: one file of perf/profiles.
type Profile struct {
	APIVersion  string            `json:"apiVersion"`  // "steamer/v1"
	Kind        string            `json:"kind"`        // "Profile"
	Name        string            `json:"name"`        // e.g. "smoke"
	Description string            `json:"description"` // one sentence on what it is good for
	Workload    string            `json:"workload"`    // script without ".js", e.g. "fetch"
	Mode        string            `json:"mode"`        // one of ProfileModes
	Warmup      document.Duration `json:"warmup"`      // 0, or 1 s to 1 h; not measured
	Duration    document.Duration `json:"duration"`    // 1 s to 24 h; with stages it is their sum and may be left out
	Rate        Rate              `json:"rate"`
	Connections Connections       `json:"connections"`
	VUs         VUs               `json:"vus,omitempty,omitzero"` // left out: as many as the rate needs, see VUs.At
	// Stages move the rate after the warm-up; none: it stays.
	Stages []Stage `json:"stages,omitempty"`
	// Weights say how often mode mixed draws each of the other modes, Operations how often mode
	// rails does each of its things.
	Weights    map[string]float64 `json:"weights,omitempty"`
	Operations map[string]float64 `json:"operations,omitempty"`
	Retries    bool               `json:"retries,omitempty"` // repeat failed calls as GitLab Runner does
	JobTokens  *JobTokens         `json:"jobTokens,omitempty"`
	Tenants    *Tenants           `json:"tenants,omitempty"` // how they are chosen; nil: uniformly
	// NotJudged are metrics of the objectives, such as fetch_p99_ms, that the profile is too short
	// for. A run of it fails where one is missed beyond doubt, says that it did not judge the
	// others, and is no evidence for a release.
	NotJudged []string `json:"notJudged,omitempty"`
}

// Rate is the arrival rate: either the tier's or a number.
type Rate struct {
	Tier      bool    `json:"tier,omitempty"`      // the rate of the run's tier
	PerSecond float64 `json:"perSecond,omitempty"` // fetches per second, above 0 to 100,000
}

// Connections says how the workload treats its TCP connections.
type Connections struct {
	// Reuse keeps connections open between fetches. GitLab Runner does not: each job opens its
	// own.
	Reuse bool `json:"reuse"`
}

// VUs are k6's virtual users, each of which can have one fetch in flight. Both are given or
// neither.
type VUs struct {
	Initial int `json:"initial"` // allocated before the start, 1 to Max
	Max     int `json:"max"`     // up to 10,000; an arrival that finds none free is dropped
}

// Seconds without an answer that a load outlasts: with the VUs that are there from the start, and
// with those that k6 makes on the way, one after the other, each at the price of a dropped
// arrival. A VU takes 0.15 MiB and a millisecond to make.
const (
	initialSeconds = 1
	maxSeconds     = 4
)

// At returns v, or if it is zero the VUs for a load whose rate rises to perSecond: as many from
// the start as arrive in a second, 20 to 2,000, and in the end as arrive in four, 200 to 10,000.
func (v VUs) At(perSecond float64) VUs {
	if v != (VUs{}) {
		return v
	}
	of := func(seconds, least, most float64) int {
		return int(min(most, max(least, math.Ceil(seconds*perSecond))))
	}
	return VUs{Initial: of(initialSeconds, 20, 2000), Max: of(maxSeconds, 200, maxVUs)}
}

// Inline is the way to fetch of GitLab Runner: login and read in one request.
const Inline = "inline"

// Modes are the ways to fetch a secret that exist in the field.
func Modes() []string { return append([]string{Inline}, LoginModes()...) }

// LoginModes returns the ways to fetch that need no inline authentication: the first is that of
// GitLab Runner with HashiCorp Vault.
func LoginModes() []string { return []string{"login-read", "login-read-revoke"} }

// ProfileModes are those, rails to write secrets as GitLab does, and mixed of all of them;
// perf/README.md describes them.
func ProfileModes() []string { return append(Modes(), "rails", "mixed") }

// MaxDuration is the longest load that a profile may have.
const MaxDuration = 24 * time.Hour

// Limits of a profile; beyond them a typing error is likelier than a wish.
const (
	maxWarmup = time.Hour
	maxRate   = 100_000
	maxVUs    = 10_000
)

var codec = document.Codec[Profile]{
	APIVersion: "steamer/v1", Kind: "Profile", YAML: true, Hint: "see docs/reference for the fields of a profile",
}

// ParseProfile reads a profile; name is used in errors, which are of code
// exit.Invalid and name the field.
func ParseProfile(name string, data []byte) (Profile, error) {
	var p Profile
	if err := codec.DecodeInto(name, data, &p); err != nil {
		return Profile{}, err
	}
	if p.Duration == 0 {
		p.Duration = document.Duration(length(p.Stages))
	}
	if err := p.validate(); err != nil {
		return Profile{}, exit.Invalidf(name, "correct the profile", "%w", err)
	}
	return p, nil
}

// ReadProfile reads the profile file at path.
func ReadProfile(path string) (Profile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Profile{}, exit.Invalidf(path, "name a file of perf/profiles", "%w", err)
	}
	return ParseProfile(path, data)
}

// PerSecond is the rate in fetches per second on the given tier that the warm-up has, and that
// stages are multiples of.
func (p Profile) PerSecond(t Tier) float64 {
	if p.Rate.Tier {
		return t.Rate
	}
	return p.Rate.PerSecond
}

// Validate checks a profile that was made in code; errors are of code exit.Invalid.
func (p Profile) Validate() error {
	if err := p.validate(); err != nil {
		return exit.Invalidf("profile "+p.Name, "correct the settings it was made from", "%w", err)
	}
	return nil
}

func (p Profile) validate() error {
	word := regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	warm, dur := time.Duration(p.Warmup), time.Duration(p.Duration)
	if err := p.validateStages(); err != nil {
		return err
	}
	switch {
	case !word.MatchString(p.Name):
		return fmt.Errorf("name %q: want small letters, digits and dashes, a letter first, at most 40", p.Name)
	case !word.MatchString(p.Workload):
		return fmt.Errorf("workload %q: want the name of a script of perf/scripts without \".js\"", p.Workload)
	case !slices.Contains(ProfileModes(), p.Mode):
		return fmt.Errorf("mode %q: want one of %q", p.Mode, ProfileModes())
	case !ValidWarmup(warm):
		return fmt.Errorf("warmup %v: want 0s, or 1s to %v", warm, maxWarmup)
	case dur < time.Second || dur > MaxDuration:
		return fmt.Errorf("duration %v: want 1s to %v", dur, MaxDuration)
	case p.Rate.Tier && p.Rate.PerSecond != 0:
		return fmt.Errorf("rate: tier and perSecond exclude each other")
	case !p.Rate.Tier && (!(p.Rate.PerSecond > 0) || p.Rate.PerSecond > maxRate):
		return fmt.Errorf("rate: want tier: true, or perSecond above 0 and at most %d", maxRate)
	case p.VUs != (VUs{}) && (p.VUs.Initial < 1 || p.VUs.Max < p.VUs.Initial || p.VUs.Max > maxVUs):
		return fmt.Errorf("vus: initial %d, max %d: want 1 <= initial <= max <= %d", p.VUs.Initial, p.VUs.Max, maxVUs)
	}
	for i, metric := range p.NotJudged {
		if !regexp.MustCompile(`^(fetch_[a-z0-9_]+_ms|error_rate|attempt_error_rate)$`).MatchString(metric) ||
			slices.Contains(p.NotJudged[:i], metric) {
			return fmt.Errorf("notJudged: %q: want metrics that fetches decide, such as fetch_p99_ms, each once", metric)
		}
	}
	return p.validateWork()
}

// ValidWarmup reports whether a load can begin with a warm-up of d: none, or 1 s to 1 h. k6 takes
// no scenario that is shorter than a second.
func ValidWarmup(d time.Duration) bool {
	return d == 0 || d >= time.Second && d <= maxWarmup
}
