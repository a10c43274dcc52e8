package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

func readAll(paths []string) (*gate.Evidence, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	return gate.Read(paths...)
}

// onlyOffline refuses flags that say how to run something.
func onlyOffline(c *cobra.Command) error {
	for _, name := range slices.Concat(inCluster(), []string{
		"with", "mutants", "compare", "plan", "profile", "duration", "rate", "size", "adoption", "mode", "retries", "cluster",
		"port", "dry-run", "ready-timeout",
		"environment-latency",
	}) {
		if name != "topology" && name != "previous" && c.Flags().Changed(name) {
			return exit.Invalidf("--"+name, "leave it out, or --from", "with --from nothing is run")
		}
	}
	return nil
}

// policy is what is asked of the release.
func (f *gateFlags) policy(state *State, slo, tier, suite string, topologies []string) (gate.Policy, error) {
	p := gate.Policy{Validity: judge.DefaultValidity(), Topologies: topologies, Tier: tier, Scenarios: suite}
	if len(topologies) == 0 {
		return p, exit.Invalidf("--topology", "name one, or leave it out for both",
			"no topology is named, so that nothing would have to be shown")
	}
	var err error
	if tier != "" {
		if _, err = load.TierNamed(tier); err != nil {
			return p, err
		}
	}
	if _, p.SLO, err = state.slo(slo); err != nil {
		return p, err
	}
	for _, name := range p.Topologies {
		if err := topologyKnown(name); err != nil {
			return p, err
		}
	}
	selected, err := scenario.Select(scenarios.All(), suite)
	if err != nil {
		return p, err
	}
	for _, s := range selected {
		p.Suite = append(p.Suite, s.ID)
	}
	if !slices.Contains([]string{"none", "local", "all"}, f.mutants) {
		return p, exit.Invalidf("--mutants "+f.mutants, "choose from none, local and all", "there is no such choice")
	}
	p.Required, err = required(f.require)
	return p, err
}

// releaseAt is the chart at a path as evidence names it; nil for "".
func releaseAt(path string) (*result.Chart, error) {
	if path == "" {
		return nil, nil
	}
	c, err := chart.Load(path)
	if err != nil {
		return nil, err
	}
	info := c.Info()
	return &info, nil
}

// declared is the release before that finished comparisons have to be with: that of --previous,
// that of the decision that is derived again, or of this source tree where it is its chart that
// they are about; nil where nobody declared one.
func declared(state *State, given bool, path string, e *gate.Evidence) (*result.Chart, error) {
	switch {
	case given:
		return releaseAt(path)
	case e.Earlier != nil && e.Earlier.Previous != nil:
		return e.Earlier.Previous, nil
	case len(e.Comparisons) == 0:
		return nil, nil
	}
	root, err := plan.FindRoot(state.root)
	if err != nil { // without a source tree none declares anything
		return nil, nil
	}
	about, err := e.Chart()
	if err != nil {
		return nil, err
	}
	d := plan.Default(root)
	if ours, err := releaseAt(d.Chart); err != nil || ours.Digest != about.Digest {
		return nil, err
	}
	return releaseAt(d.Previous)
}

// required reads --require: a list of criteria, or changes to the default.
func required(list []string) ([]string, error) {
	out, plain := gate.DefaultRequired(), []string{}
	for _, entry := range list {
		name := strings.TrimLeft(entry, "+-")
		if !slices.Contains(gate.Criteria(), name) {
			return nil, exit.Invalidf("--require "+entry, "choose from "+strings.Join(gate.Criteria(), ", "),
				"there is no such criterion")
		}
		switch {
		case strings.HasPrefix(entry, "+"):
			out = append(out, name)
		case strings.HasPrefix(entry, "-"):
			out = slices.DeleteFunc(out, func(s string) bool { return s == name })
		default:
			plain = append(plain, name)
		}
	}
	switch {
	case len(plain) == 0:
		return out, nil
	case len(plain) == len(list):
		return plain, nil
	}
	return nil, exit.Invalidf("--require "+strings.Join(list, ","), "give a list, or changes with + and - to the default",
		"it is both")
}
