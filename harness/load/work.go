package load

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
)

// Tenants says how a workload chooses tenants; perf/README.md explains the choices.
type Tenants struct {
	Choice   string  `json:"choice"`             // uniform, zipf, hot or cold
	Exponent float64 `json:"exponent,omitempty"` // of zipf, above 0 to 10
	Hot      int     `json:"hot,omitempty"`      // tenants in the hot set, 1 or more
	Share    float64 `json:"share,omitempty"`    // of the fetches that goes to the hot set, above 0 to 1
}

// JobTokens says what the JWTs of jobs are like that a load is made with.
type JobTokens struct {
	PerTenant int    `json:"perTenant,omitempty"` // different jobs for each tenant, 1 to 100; 0 is one
	Algorithm string `json:"algorithm,omitempty"` // RS256, as GitLab signs, or ES256; empty is RS256
}

// maxJobs bounds the job tokens of a tenant: with 10,000 tenants signing them takes minutes.
const maxJobs = 100

// Algorithms are the signatures that job tokens can have.
func Algorithms() []string { return []string{string(gitlab.RS256), string(gitlab.ES256)} }

// Choices are the ways to choose a tenant.
func Choices() []string { return []string{Uniform, "zipf", "hot", "cold"} }

// operations are what Rails does with secrets.
func operations() []string { return []string{"create", "update", "list", "delete"} }

// Writes reports whether the workload writes secrets as Rails does, and therefore needs Rails'
// logins.
func (p Profile) Writes() bool { return p.Mode == "rails" || p.Weights["rails"] > 0 }

// Algorithm is the signature of job tokens.
func (p Profile) Algorithm() gitlab.Algorithm {
	if p.JobTokens != nil && p.JobTokens.Algorithm != "" {
		return gitlab.Algorithm(p.JobTokens.Algorithm)
	}
	return gitlab.RS256
}

// FixtureOptions are what the workload needs of a fixture beyond the least; recipes are those that
// provisioned the tenants.
func (p Profile) FixtureOptions(recipes []*gitlab.Recipe) []gitlab.FixtureOption {
	var options []gitlab.FixtureOption
	if p.JobTokens != nil {
		options = append(options, gitlab.WithJobs(p.JobTokens.PerTenant))
	}
	if p.Writes() {
		options = append(options, gitlab.WithRails(recipes))
	}
	return options
}

// WithMode is the profile in another mode. What only the old mode used, weights or operations, is
// dropped; mode mixed keeps the profile's weights, and without any it is an error.
func (p Profile) WithMode(mode string) (Profile, error) {
	p.Mode = mode
	if mode != "mixed" {
		p.Weights = nil
	}
	if !p.Writes() {
		p.Operations = nil
	}
	return p, p.validate()
}

func (p Profile) validateWork() error {
	if (p.Mode == "mixed") != (len(p.Weights) > 0) {
		return fmt.Errorf("weights: want them with mode mixed, and with no other")
	}
	if err := validateWeights("weights", p.Weights, append(Modes(), "rails")); err != nil {
		return err
	}
	if len(p.Operations) > 0 && !p.Writes() {
		return fmt.Errorf("operations: only mode rails, or mixed with it, has them")
	}
	if err := validateWeights("operations", p.Operations, operations()); err != nil {
		return err
	}
	if j := p.JobTokens; j != nil {
		if j.PerTenant < 0 || j.PerTenant > maxJobs {
			return fmt.Errorf("jobTokens: perTenant %d: want 1 to %d", j.PerTenant, maxJobs)
		}
		if j.Algorithm != "" && !slices.Contains(Algorithms(), j.Algorithm) {
			return fmt.Errorf("jobTokens: algorithm %q: want one of %q", j.Algorithm, Algorithms())
		}
	}
	if t := p.Tenants; t != nil {
		return t.validate()
	}
	return nil
}

func (t *Tenants) validate() error {
	zipf, hot := t.Choice == "zipf", t.Choice == "hot"
	switch {
	case !slices.Contains(Choices(), t.Choice):
		return fmt.Errorf("tenants: choice %q: want one of %q", t.Choice, Choices())
	case zipf != (t.Exponent > 0) || t.Exponent < 0 || t.Exponent > 10:
		return fmt.Errorf("tenants: exponent %v: want above 0 to 10 with zipf, and none with another choice", t.Exponent)
	case hot != (t.Hot > 0) || t.Hot < 0:
		return fmt.Errorf("tenants: hot %d: want 1 or more with hot, and none with another choice", t.Hot)
	case hot != (t.Share > 0) || t.Share < 0 || t.Share > 1:
		return fmt.Errorf("tenants: share %v: want above 0 to 1 with hot, and none with another choice", t.Share)
	}
	return nil
}

func validateWeights(field string, weights map[string]float64, allowed []string) error {
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		w := weights[name]
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("%s: there is no %q; want %s", field, name, strings.Join(allowed, ", "))
		}
		if !(w >= 0) || w > 1e6 {
			return fmt.Errorf("%s: %s is %v: want 0 to a million", field, name, w)
		}
		sum += w
	}
	if len(weights) > 0 && sum == 0 {
		return fmt.Errorf("%s: none is above 0", field)
	}
	return nil
}

// Fits checks what depends on the run: that the rates are possible and that there are enough
// tenants.
func (p Profile) Fits(rate float64, tenants int) error {
	if t := p.Tenants; t != nil && t.Hot > tenants {
		return fmt.Errorf("tenants: hot %d: there are only %d tenants", t.Hot, tenants)
	}
	for _, r := range append([]float64{rate}, p.rates(rate)...) {
		if r < minRate || r > maxRate {
			return fmt.Errorf("at %g fetches per second as the rate, a stage has %g: want %g to %d", rate, r, minRate, maxRate)
		}
	}
	return nil
}

// work are the settings of the script that say what to do.
func (p Profile) work() []string {
	env := []string{"STEAMER_MODE=" + p.Mode, "STEAMER_RETRIES=" + strconv.FormatBool(p.Retries)}
	for name, weights := range map[string]map[string]float64{"WEIGHTS": p.Weights, "OPERATIONS": p.Operations} {
		var parts []string
		for _, of := range slices.Sorted(maps.Keys(weights)) {
			parts = append(parts, of+"="+decimal(weights[of]))
		}
		if len(parts) > 0 {
			env = append(env, "STEAMER_"+name+"="+strings.Join(parts, ","))
		}
	}
	if t := p.Tenants; t != nil {
		env = append(env, "STEAMER_CHOICE="+t.Choice)
		if t.Exponent > 0 {
			env = append(env, "STEAMER_EXPONENT="+decimal(t.Exponent))
		}
		if t.Hot > 0 {
			env = append(env, "STEAMER_HOT_TENANTS="+strconv.Itoa(t.Hot), "STEAMER_HOT_SHARE="+decimal(t.Share))
		}
	}
	slices.Sort(env)
	return env
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }
