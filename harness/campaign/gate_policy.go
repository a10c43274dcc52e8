package campaign

import (
	"cmp"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

func readAll(paths []string) (*gate.Evidence, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	return gate.Read(paths...)
}

// Question is what a gate asks of a release. What is empty is the question of the decision that is
// derived again, and else the default.
type Question struct {
	SLO        string   // file of objectives
	Tier       string   // by default the tier that the work has
	Topologies []string // nil for the default; none is an error
	Scenarios  string
	Require    []string // nil for the default
	Previous   string   // chart of the release before, for comparisons
}

// Judge decides on finished work, and runs nothing. from names run directories and files.
func (g *Gate) Judge(sess *session.Session, from []string, q Question, output string) (result.Verdict, error) {
	files, err := g.evidence()
	if err != nil {
		return "", err
	}
	evidence, err := gate.Read(slices.Concat(from, files)...)
	if err != nil {
		return "", err
	}
	if e := evidence.Earlier; e != nil { // its question again, but for what flags say otherwise
		q.Tier, q.Scenarios = cmp.Or(q.Tier, e.Tier), cmp.Or(q.Scenarios, e.Scenarios)
		if q.Require == nil {
			q.Require = e.Required()
		}
		if q.Topologies == nil && len(e.Topologies) > 0 {
			q.Topologies = e.Topologies
		}
	}
	if q.Topologies == nil {
		q.Topologies = topology.Names()
	}
	q.Scenarios = cmp.Or(q.Scenarios, scenario.All)
	policy, err := g.policy(sess, q)
	if err != nil {
		return "", err
	}
	if policy.Previous, err = declared(sess, q.Previous, evidence); err != nil {
		return "", err
	}
	return decide(sess, policy, evidence, "", output)
}

// policy is what is asked of the release.
func (g *Gate) policy(sess *session.Session, q Question) (gate.Policy, error) {
	p := gate.Policy{
		Validity: judge.DefaultValidity(), Topologies: q.Topologies, Tier: q.Tier, Scenarios: q.Scenarios,
	}
	if len(q.Topologies) == 0 {
		return p, exit.Invalidf("--topology", "name one, or leave it out for both",
			"no topology is named, so that nothing would have to be shown")
	}
	var err error
	if q.Tier != "" {
		if _, err = load.TierNamed(q.Tier); err != nil {
			return p, err
		}
	}
	if _, p.SLO, err = sess.SLO(q.SLO); err != nil {
		return p, err
	}
	if err := plan.CheckTopologies(p.Topologies); err != nil {
		return p, err
	}
	selected, err := scenario.Select(scenarios.All(), q.Scenarios)
	if err != nil {
		return p, err
	}
	p.Subjects = map[string]result.Subject{}
	for _, s := range selected {
		p.Suite, p.Subjects[s.ID] = append(p.Suite, s.ID), s.Subject
	}
	p.Required, err = required(q.Require)
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
func declared(sess *session.Session, path string, e *gate.Evidence) (*result.Chart, error) {
	switch {
	case path != "":
		return releaseAt(path)
	case e.Earlier != nil && e.Earlier.Previous != nil:
		return e.Earlier.Previous, nil
	case len(e.Comparisons) == 0:
		return nil, nil
	}
	root, err := plan.FindRoot(sess.Root)
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
