package judge

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

// The kinds of change that an Outage can be for.
const (
	OutageConfig          = "config"           // helm upgrade with other values
	OutageUpgrade         = "upgrade"          // helm upgrade to another release of the chart, or to another image
	OutageRollback        = "rollback"         // helm rollback
	OutageKeyRotation     = "key-rotation"     // helm upgrade with another unseal key
	OutageReinstall       = "reinstall"        // helm uninstall and helm install on the same database
	OutageRestore         = "restore"          // a backup is restored after everything was lost
	OutageFailover        = "failover"         // the active pod is deleted
	OutageCrash           = "crash"            // the active process is killed
	OutageFrozen          = "frozen"           // the active process stands still, and keeps its label
	OutageDrain           = "drain"            // all pods are evicted, one after the other
	OutagePodsLost        = "pods-lost"        // all pods are deleted at once
	OutageStandbyLost     = "standby-lost"     // the standby is deleted or broken
	OutageDatabaseRestart = "database-restart" // PostgreSQL is restarted
	OutageDatabaseStall   = "database-stall"   // PostgreSQL stands still for a moment
	OutageIssuerDown      = "issuer-down"      // GitLab serves no keys during a failover
)

// OutageChanges are all kinds of change.
func OutageChanges() []string {
	return []string{
		OutageConfig, OutageUpgrade, OutageRollback, OutageKeyRotation, OutageReinstall, OutageRestore, OutageFailover,
		OutageCrash, OutageFrozen, OutageDrain, OutagePodsLost, OutageStandbyLost, OutageDatabaseRestart, OutageDatabaseStall,
		OutageIssuerDown,
	}
}

// OutageStrategies are the ways in which Kubernetes replaces pods.
func OutageStrategies() []string { return []string{"Recreate", "RollingUpdate", "OnDelete"} }

// Outage is the budget of a kind of change: for how long fetches may fail because of it. The
// limits themselves still pass. Of several that match, the first applies.
type Outage struct {
	Change   string `json:"change"`             // one of OutageChanges
	Strategy string `json:"strategy,omitempty"` // one of OutageStrategies; empty: any
	Chart    string `json:"chart,omitempty"`    // chart version range, as of an entry; empty: any
	OpenBao  string `json:"openbao,omitempty"`  // OpenBao version range; empty: any
	// Longest is the longest time without a fetch that works, in seconds.
	Longest float64 `json:"longest"`
	// Sum is the sum of all times without a fetch that works, in seconds.
	Sum float64 `json:"sum"`
	// Failed is the share of failed fetches in those that are due in the minute from the change
	// on, or until fetches work again where that takes longer; in percent, 0 to 100.
	Failed float64 `json:"failed"`
	// PerNamespace is added to Longest and Sum for each namespace that OpenBao loads, in ms; a
	// minute's share of it is added to Failed.
	PerNamespace float64 `json:"perNamespace,omitempty"`
	Source       string  `json:"source"` // where the numbers come from
}

// String names the budget, as messages about a miss do.
func (o Outage) String() string {
	text := "outage budget of change " + o.Change
	if o.Strategy != "" {
		text += " with strategy " + o.Strategy
	}
	return text
}

// With is the budget for an OpenBao with this many namespaces.
func (o Outage) With(namespaces int) Outage {
	extra := float64(namespaces) * o.PerNamespace / 1000
	o.Longest += extra
	o.Sum += extra
	o.Failed = math.Min(100, o.Failed+100*extra/OutageWindow.Seconds())
	o.PerNamespace = 0
	return o
}

// OutageWindow is the time from a change on whose fetches Outage.Failed is a share of.
const OutageWindow = time.Minute

// Misses returns which figures are over the budget, in words; nil where it is kept. longest and
// sum are in seconds, failed is in percent.
func (o Outage) Misses(longest, sum, failed float64) []string {
	var out []string
	for _, figure := range []struct {
		name, unit      string
		measured, limit float64
	}{
		{"the longest gap", "s", longest, o.Longest},
		{"the sum of the gaps", "s", sum, o.Sum},
		{"the share of failed fetches", "%", failed, o.Failed},
	} {
		if !(figure.measured <= figure.limit) {
			out = append(out, fmt.Sprintf("%s is %.1f %s, at most %.1f %s", figure.name, figure.measured, figure.unit,
				figure.limit, figure.unit))
		}
	}
	return out
}

// OutageFor returns the budget for a change of a chart with this version, whose pods are replaced
// by a strategy; strategy may be empty. ok is false where there is none.
func OutageFor(list []Outage, change, strategy, chart, openbao string) (budget Outage, ok bool) {
	i := slices.IndexFunc(list, func(o Outage) bool {
		return o.Change == change && (o.Strategy == "" || o.Strategy == strategy) && inRange(o.Chart, chart) &&
			inRange(o.OpenBao, openbao)
	})
	if i < 0 {
		return Outage{}, false
	}
	return list[i], true
}

func (o Outage) validate() error {
	switch {
	case !slices.Contains(OutageChanges(), o.Change):
		return fmt.Errorf("change %q: want one of %q", o.Change, OutageChanges())
	case o.Strategy != "" && !slices.Contains(OutageStrategies(), o.Strategy):
		return fmt.Errorf("strategy %q: want one of %q", o.Strategy, OutageStrategies())
	case o.Source == "":
		return fmt.Errorf("%s: source is required: say where the numbers come from", o)
	case !(o.Sum >= o.Longest):
		return fmt.Errorf("%s: sum %v: want longest (%v) or more", o, o.Sum, o.Longest)
	}
	for field, v := range map[string]string{"chart": o.Chart, "openbao": o.OpenBao} {
		if v == "" {
			continue
		}
		if _, err := semver.NewConstraint(v); err != nil {
			return fmt.Errorf("%s: version range %q: %w", field, v, err)
		}
	}
	for field, v := range map[string]struct{ value, most float64 }{
		"longest": {o.Longest, maxOutage}, "sum": {o.Sum, maxOutage}, "failed": {o.Failed, 100},
		"perNamespace": {o.PerNamespace, 1000},
	} {
		if !(v.value >= 0 && v.value <= v.most) {
			return fmt.Errorf("%s: %s %v: want 0 to %v", o, field, v.value, v.most)
		}
	}
	return nil
}

// maxOutage in seconds is more than any change may take.
const maxOutage = 3600

// outageGaps lists kinds of change without a budget, and budgets that never apply. A file without
// any has no gaps: it takes those of perf/slo.yaml.
func (s *SLO) outageGaps() []string {
	if len(s.Outages) == 0 {
		return nil
	}
	var out []string
	for j, later := range s.Outages {
		i := slices.IndexFunc(s.Outages[:j], func(o Outage) bool {
			same := func(a, b string) bool { return a == "" || a == b }
			return o.Change == later.Change && same(o.Strategy, later.Strategy) && same(o.Chart, later.Chart) &&
				same(o.OpenBao, later.OpenBao)
		})
		if i >= 0 {
			out = append(out, fmt.Sprintf("outages[%d] never applies: outages[%d] matches everything that it would", j, i))
		}
	}
	for _, change := range OutageChanges() {
		without := slices.DeleteFunc(OutageStrategies(), func(strategy string) bool {
			return slices.ContainsFunc(s.Outages, func(o Outage) bool {
				return o.Change == change && cmp.Or(o.Strategy, strategy) == strategy && o.Chart == "" && o.OpenBao == ""
			})
		})
		if len(without) > 0 {
			out = append(out, fmt.Sprintf("no outage budget for change %s with %s: its outages are not judged", change,
				strings.Join(without, ", ")))
		}
	}
	return out
}
