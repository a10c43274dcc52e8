package judge

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/steamer/steamer/harness/result"
)

// Any is the topology of an entry that holds for all of them.
const Any = "any"

// Topologies are the names that an entry's topology may have besides Any.
func Topologies() []string { return []string{"cloud-native", "cloud-native-hybrid", unloaded} }

// Subject is what decides which entry of an SLO file judges a topology. An
// empty field is unknown: it matches only an entry that does not ask for it.
type Subject struct {
	Chart    string // version of the chart
	OpenBao  string // version of OpenBao
	Vault    string // version of Vault, where that serves
	Topology string
	Mode     string // way to fetch
	Tier     string // fetches per second, as the run names it
}

func subject(t *result.Topology, tier string) Subject {
	return Subject{
		Chart: t.Chart.Version, OpenBao: t.Versions["openbao"], Vault: t.Versions["vault"], Topology: t.Name,
		Mode: t.Load.Mode, Tier: tier,
	}
}

// Find returns the index of the first entry that matches u, -1 when none does.
func (s *SLO) Find(u Subject) int {
	if s == nil {
		return -1
	}
	return slices.IndexFunc(s.Entries, func(e Entry) bool { return e.Mismatch(u) == "" })
}

// Mismatch says why the entry does not judge u, and "" where it does.
func (e Entry) Mismatch(u Subject) string {
	if rate, err := strconv.ParseFloat(u.Tier, 64); len(e.Tier) > 0 && (err != nil || !slices.Contains(e.Tier, rate)) {
		return fmt.Sprintf("tier %q is none of %v", u.Tier, e.Tier)
	}
	for _, c := range []struct{ what, want, got string }{{"topology", e.Topology, u.Topology}, {"mode", e.Mode, u.Mode}} {
		if c.want != "" && c.want != c.got && (c.what != "topology" || c.want != Any) {
			return fmt.Sprintf("%s %q is not %q", c.what, c.got, c.want)
		}
	}
	for _, c := range []struct{ what, want, got string }{
		{"chart", e.Chart, u.Chart},
		{"OpenBao", e.OpenBao, u.OpenBao},
		{"Vault", e.Vault, u.Vault},
	} {
		if !inRange(c.want, c.got) {
			return fmt.Sprintf("%s version %q is not in %q", c.what, c.got, c.want)
		}
	}
	return ""
}

// EnvironmentLatencyOf is the allowance in ms of the entry with index i, or of the file where i is
// -1.
func (s *SLO) EnvironmentLatencyOf(i int) float64 {
	switch {
	case s == nil:
		return 0
	case i >= 0 && s.Entries[i].EnvironmentLatency != nil:
		return *s.Entries[i].EnvironmentLatency
	}
	return s.EnvironmentLatency
}

// inRange reports whether version lies in the range; an unreadable version lies
// in none, so that its topology ends without limits and INCONCLUSIVE.
// A pre-release counts as its release: release candidates are what gets judged.
func inRange(constraint, version string) bool {
	if constraint == "" {
		return true
	}
	v, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	c, err := semver.NewConstraint(constraint)
	if err != nil {
		return false // validate has refused it before
	}
	release, err := v.SetPrerelease("")
	return err == nil && c.Check(&release)
}
