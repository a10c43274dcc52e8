// Package lint looks at a Helm chart without a cluster: it renders the chart in many ways and has
// rules judge what comes out. Nothing it reports holds a secret.
package lint

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
	"gitlab.com/steamer/steamer/harness/lint/mutate"
	"gitlab.com/steamer/steamer/harness/result"
)

// Options say how a chart is checked.
type Options struct {
	Values      map[string]any    // the user's, over every case's
	Dialect     string            // a dialect's name, Auto or None
	KubeVersion string            // one of kubeapi.Versions, or its minor version; empty: the newest
	AllowRBAC   string            // file with an Allowance; empty: none
	Skip        map[string]string // reason by ID of a rule that is not run
	Strict      bool              // warnings fail too
	// Budget is the CPU time after which less is tried: the switches and keys that are left are
	// reported as not tried, and all rules run. 0 tries everything.
	Budget time.Duration
	Log    func(string) // told how far the check is when it takes more than two seconds; nil drops it
}

// APIVersion versions the JSON form of a Report.
const APIVersion = "steamer/v1"

// Report is the outcome of a check.
type Report struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"` // ChartCheck
	Chart      result.Chart `json:"chart"`
	Dialect    string       `json:"dialect,omitempty"` // empty: none fits, the topologies were not rendered
	Kubernetes Kubernetes   `json:"kubernetes"`
	Passed     bool         `json:"passed"`
	Strict     bool         `json:"strict"`
	Seconds    float64      `json:"seconds"`
	Counts     Counts       `json:"counts"`
	Rules      []Outcome    `json:"rules"`
	Findings   []Finding    `json:"findings"`
	Cases      []Rendered   `json:"cases"`
	Coverage   Coverage     `json:"coverage"`
	Stale      []string     `json:"stale,omitempty"` // entries of the baseline that match nothing any more
}

// Kubernetes names the API that objects were compared with.
type Kubernetes struct {
	Version string `json:"version"`
	Source  string `json:"source"`
}

// Counts are numbers of findings that are not accepted.
type Counts struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Infos    int `json:"infos"`
	Accepted int `json:"accepted,omitempty"` // by a baseline, whatever their severity; not in the others
}

// Outcome is what became of one rule.
type Outcome struct {
	ID     string `json:"id"`
	State  State  `json:"state"`
	Reason string `json:"reason,omitempty"` // why it was skipped
}

// State says whether a rule ran and what it found.
type State string

// The states of a rule.
const (
	Clean   State = "clean"   // neither errors nor warnings
	Found   State = "found"   // errors or warnings
	Skipped State = "skipped" // by the user
	Foreign State = "foreign" // the chart has not what it looks at
)

// Rendered describes one case.
type Rendered struct {
	Name    string   `json:"name"`
	Kind    CaseKind `json:"kind"`
	Objects int      `json:"objects"`
	Error   string   `json:"error,omitempty"` // why it does not render
}

// Run checks a chart. An error is an exit.Invalid error where the input is to blame; a chart with
// defects is a Report and no error.
func Run(ctx context.Context, c *chart.Chart, o Options) (*Report, error) {
	start := time.Now()
	s, err := prepare(ctx, c, o)
	if err != nil {
		return nil, err
	}
	if err := s.baseCases(o.Dialect); err != nil {
		return nil, err
	}
	if s.dialect != nil {
		if s.allowed, err = allowance(s.dialect.Name, o.AllowRBAC); err != nil {
			return nil, err
		}
	}
	s.nameCases()
	s.switchCases()
	s.capabilityCases()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.Skip["values/dead"] == "" || o.Skip["values/unexercised"] == "" {
		if err := s.measure(); err != nil {
			return nil, err
		}
	}
	s.coverage.Unrendered = s.unrendered()
	report := &Report{
		APIVersion: APIVersion, Kind: Kind, Chart: c.InfoWith(o.Values), Kubernetes: Kubernetes{
			s.api.Version,
			s.api.Source,
		}, Strict: o.Strict,
	}
	if s.dialect != nil {
		report.Dialect = s.dialect.Name
	}
	s.judge(report, o.Skip)
	report.Coverage = s.coverage
	for _, c := range s.cases {
		entry := Rendered{Name: c.Name, Kind: c.Kind, Objects: len(c.Objects)}
		if c.Err != nil {
			entry.Error = reason(c.Err)
		}
		report.Cases = append(report.Cases, entry)
	}
	report.Passed = report.Counts.passed(o.Strict)
	report.Seconds = time.Since(start).Seconds()
	return report, ctx.Err()
}

// prepare validates the options and reads the chart's values.
func prepare(ctx context.Context, c *chart.Chart, o Options) (*subject, error) {
	for id, reason := range o.Skip {
		if _, known := RuleNamed(id); !known {
			return nil, exit.Invalidf("--skip "+id, "steamer charts rules lists the rules", "there is no such rule")
		}
		if reason == "" {
			return nil, exit.Invalidf("--skip "+id, "use --skip RULE=REASON", "a skipped rule needs a reason")
		}
	}
	api, err := kubeapi.Load(o.KubeVersion)
	if err != nil {
		return nil, err
	}
	if err := c.Installable(api.Version); err != nil {
		return nil, err
	}
	allowed, err := allowance("", o.AllowRBAC)
	if err != nil {
		return nil, err
	}
	schema, err := c.Schema()
	if err != nil {
		return nil, err
	}
	renderer, err := c.Renderer()
	if err != nil {
		return nil, err
	}
	defaults, text := c.Defaults()
	s := &subject{
		chart: c, renderer: renderer, api: api, user: o.Values, ctx: ctx, allowed: allowed, parsed: map[string][]*Object{},
		progress: &progress{log: o.Log, begun: time.Now()}, asked: renderer.APIVersions(),
		native: api.APIVersions(), held: map[string]any{},
		budget: o.Budget, began: cpuTime(),
		leaves: mutate.Leaves(defaults, text, mutate.NewSchema(schema)),
	}
	for _, word := range renderer.Words() {
		s.held[word] = "bXV0YXRlZA==" // base64 of "mutated", also where the text itself is read
	}
	return s, nil
}

// allowance is what is allowed to charts of a dialect and by the user's file.
func allowance(dialect, file string) (Allowance, error) {
	allowed, err := builtIn(dialect)
	if err != nil || file == "" {
		return allowed, err
	}
	more, err := readAllowance(file)
	return allowed.and(more), err
}

// judge runs the rules, of which none depends on another.
func (s *subject) judge(report *Report, skip map[string]string) {
	rules := Rules()
	report.Rules = make([]Outcome, len(rules))
	each := make([]findings, len(rules))
	inParallel(len(rules), func(i int) {
		rule, outcome := rules[i], Outcome{ID: rules[i].ID, State: Clean}
		switch {
		case skip[rule.ID] != "":
			outcome.State, outcome.Reason = Skipped, skip[rule.ID]
		case !rule.fits(s):
			outcome.State = Foreign
		default:
			s.apply(rule, &each[i])
			for _, finding := range each[i].list {
				if finding.Severity != Info {
					outcome.State = Found
				}
			}
		}
		report.Rules[i] = outcome
	})
	report.Findings = sorted(each)
	for _, finding := range report.Findings {
		report.Counts.add(finding)
	}
}
