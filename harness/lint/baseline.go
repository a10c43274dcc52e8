package lint

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/secret"
)

// BaselineKind is the kind of a Baseline.
const BaselineKind = "Baseline"

// maxAcceptance is how long from today a finding may be accepted at most: a year.
const maxAcceptance = 366 * 24 * time.Hour

// Baseline is a list of findings in a chart, and of failures of scenarios, that somebody has
// accepted for a while. Only what is not in it fails.
type Baseline struct {
	APIVersion string     `json:"apiVersion"` // APIVersion
	Kind       string     `json:"kind"`       // BaselineKind
	Chart      string     `json:"chart"`      // name of the chart
	Findings   []Accepted `json:"findings"`
	// Scenarios are failures that the gate accepts; charts check has nothing to do with them.
	Scenarios []Known `json:"scenarios,omitempty"`
}

// Accepted is one accepted finding: where and what it is, and who takes it for how long. It has
// neither lines nor the numbers of a message, which move with every edit.
type Accepted struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`         // error or warning; a finding that is graver is not accepted
	File     string   `json:"file,omitempty"`   // in the chart
	Object   string   `json:"object,omitempty"` // Kind/name
	Path     string   `json:"path,omitempty"`   // in the object, or a key of the values
	Message  string   `json:"message"`          // with # for each number
	Count    int      `json:"count,omitempty"`  // of findings that look like this; 0 is 1
	Acceptance
}

// Acceptance says why a finding is accepted, by whom, and until when.
type Acceptance struct {
	Reason  string `json:"reason"`
	Owner   string `json:"owner"`   // whom to ask
	Expires string `json:"expires"` // last day on which it holds, as 2006-01-02, in UTC
}

// Where is the finding's place in words.
func (a Accepted) Where() string {
	return strings.Join(strings.Fields(a.File+" "+strings.Trim(a.Object+": "+a.Path, ": ")), " ")
}

var numbers = regexp.MustCompile(`[0-9]+`)

// accepted is the entry that a finding would have. Secrets are withheld before numbers are:
// afterwards nobody would know them.
func accepted(f Finding) Accepted {
	return Accepted{
		Rule: f.Rule, Severity: f.Severity, File: f.File, Object: f.Object, Path: f.Path,
		Message: constant(secret.Redact(f.Message)),
	}
}

// key is what entries are told apart by.
func (a Accepted) key() string {
	return strings.Join([]string{a.Rule, string(a.Severity), a.File, a.Object, a.Path, a.Message}, "\x00")
}

// Check refuses an acceptance without a reason or an owner, one that has expired at now, and one
// that reaches further than maxAcceptance.
func (a Acceptance) Check(now time.Time) error {
	day, err := time.Parse(time.DateOnly, a.Expires)
	switch {
	case strings.TrimSpace(a.Reason) == "":
		return fmt.Errorf("it has no reason")
	case strings.TrimSpace(a.Owner) == "":
		return fmt.Errorf("it has no owner")
	case err != nil:
		return fmt.Errorf("expires %q is not a date such as %s", a.Expires, now.UTC().Format(time.DateOnly))
	case !now.Before(day.AddDate(0, 0, 1)):
		return fmt.Errorf("it expired on %s (owner %s)", a.Expires, a.Owner)
	case day.Sub(now) > maxAcceptance:
		return fmt.Errorf("expires %s is more than a year away", a.Expires)
	}
	return nil
}

// ParseBaseline reads a baseline as of now; name is used in errors, which are of code
// exit.Invalid.
func ParseBaseline(name string, data []byte, now time.Time) (*Baseline, error) {
	return document.Codec[Baseline]{
		APIVersion: APIVersion, Kind: BaselineKind, YAML: true, Input: "baseline",
		Hint:  "steamer charts check --write-baseline writes one",
		Check: func(b *Baseline) error { return b.check(now) },
	}.Decode(name, data)
}

func (b *Baseline) check(now time.Time) error {
	if b.Chart == "" {
		return exit.Invalidf("", "name the chart whose findings these are", "it names no chart")
	}
	seen := map[string]bool{}
	for i, a := range b.Findings {
		refuse := func(hint, format string, args ...any) error {
			return exit.Invalidf(fmt.Sprintf("findings[%d], rule %q", i, a.Rule), hint, format, args...)
		}
		_, known := RuleNamed(a.Rule)
		switch {
		case !known:
			return refuse("steamer charts rules lists the rules", "there is no such rule")
		case a.Severity != Error && a.Severity != Warning:
			return refuse("use error or warning", "severity %q", a.Severity)
		case a.Message == "":
			return refuse("say which finding of the rule it is: the message, with # for each number", "it has no message")
		case a.Count < 0:
			return refuse("leave count out for one", "count %d is negative", a.Count)
		case seen[a.key()]:
			return refuse("name each finding once, with a count where there are several", "it stands twice")
		}
		seen[a.key()] = true
		if err := a.Check(now); err != nil {
			return refuse("fix the finding, or have its owner accept it again: reason, owner and a new date", "%w", err)
		}
	}
	return b.checkKnown(now)
}

// ReadBaseline reads the baseline in a file as of today; nil for "".
func ReadBaseline(path string) (*Baseline, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Invalidf("--baseline "+path, "steamer charts check --write-baseline writes one", "%w", err)
	}
	return ParseBaseline(path, data, time.Now())
}

// Accept marks the findings of a report that baselines hold, counts again what is left, and lists
// the entries that match nothing. It replaces what was accepted before. A baseline of another
// chart is an error of code exit.Invalid.
func (r *Report) Accept(baselines ...*Baseline) error {
	left, order := map[string]*Accepted{}, []*Accepted{}
	for _, b := range baselines {
		if b.Chart != r.Chart.Name {
			return exit.Invalidf("baseline of chart "+b.Chart, "use the one that was made for this chart",
				"the chart that is checked is %q", r.Chart.Name)
		}
		for _, a := range b.Findings {
			a.Count = max(a.Count, 1)
			entry := &a
			left[a.key()], order = entry, append(order, entry)
		}
	}
	whole := map[*Accepted]int{}
	for _, entry := range order {
		whole[entry] = entry.Count
	}
	r.Counts, r.Stale = Counts{}, nil
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Accepted = nil
		if entry := left[accepted(*f).key()]; entry != nil && entry.Count > 0 {
			entry.Count--
			f.Accepted = &entry.Acceptance
		}
		r.Counts.add(*f)
	}
	r.Passed = r.Counts.passed(r.Strict)
	for _, entry := range order {
		if entry.Count == whole[entry] {
			r.Stale = append(r.Stale, strings.TrimSpace(entry.Rule+" "+entry.Where()))
		}
	}
	return nil
}

// add counts a finding.
func (c *Counts) add(f Finding) {
	switch {
	case f.Accepted != nil:
		c.Accepted++
	case f.Severity == Error:
		c.Errors++
	case f.Severity == Warning:
		c.Warnings++
	case f.Severity == Info:
		c.Infos++
	}
}

func (c Counts) passed(strictly bool) bool { return c.Errors == 0 && (!strictly || c.Warnings == 0) }

// NewBaseline has an entry for every error and warning of a report: those that were accepted keep
// their acceptance, the others get the one given.
func NewBaseline(r *Report, with Acceptance) *Baseline {
	b := &Baseline{APIVersion: APIVersion, Kind: BaselineKind, Chart: r.Chart.Name, Findings: []Accepted{}}
	at := map[string]int{}
	for _, f := range r.Findings {
		if f.Severity == Info {
			continue
		}
		a := accepted(f)
		a.Acceptance = with
		if f.Accepted != nil {
			a.Acceptance = *f.Accepted
		}
		if i, there := at[a.key()]; there {
			b.Findings[i].Count = max(b.Findings[i].Count, 1) + 1
			continue
		}
		at[a.key()] = len(b.Findings)
		b.Findings = append(b.Findings, a)
	}
	slices.SortStableFunc(b.Findings, func(x, y Accepted) int { return cmp.Compare(x.key(), y.key()) })
	return b
}

// Write writes the baseline as YAML, at once or not at all. A file that is there is replaced only
// where replace says so; else it is an error of code exit.Invalid.
func (b *Baseline) Write(path string, replace bool) error {
	if err := Writable(path, replace); err != nil {
		return err
	}
	data, err := yaml.Marshal(b)
	if err != nil {
		return err
	}
	return document.WriteFile(path, data)
}

// Writable refuses to write over a file that is there, unless replace says so.
func Writable(path string, replace bool) error {
	if _, err := os.Lstat(path); err == nil && !replace {
		return exit.Invalidf("--write-baseline "+path,
			"name the same file with --baseline to bring it up to date, or another file", "it exists")
	}
	return nil
}
