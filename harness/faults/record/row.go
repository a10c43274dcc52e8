// Package record looks for known public bugs of OpenBao again: each row of its table says how a
// bug shows, and which versions have it. Bugs that a version does not have are the controls, which
// have to stay silent.
package record

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/openbao"
)

//go:embed bugs.yaml
var embedded []byte

// table is the file of all rows.
type table struct {
	document.Head
	Bugs []Bug `json:"bugs"`
}

// Bug is a row: a bug, which versions have it, and how it shows.
type Bug struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Issues   []int  `json:"issues"`             // issues and requests to merge of openbao/openbao; none: found by Steamer
	Advisory string `json:"advisory,omitempty"` // of security
	Since    string `json:"since,omitempty"`    // the first version that has it; "" is 2.4.0 or before
	Fixed    string `json:"fixed,omitempty"`    // the first version that has not; "" is none yet
	Times    int    `json:"times"`              // tries, each on a server of its own
	// One of the two says how it shows.
	Schedule *Drawn `json:"schedule,omitempty"`
	Steps    []Step `json:"steps,omitempty"`
}

// Drawn is a run of steamer faults, with a seed of its own in each try.
type Drawn struct {
	Kinds  []string `json:"kinds"`
	Faults int      `json:"faults"`
	Rules  []string `json:"rules"`          // of which one has to be violated
	Log    string   `json:"log,omitempty"`  // regular expression; what the violation says has to match it
	Rate   float64  `json:"rate,omitempty"` // operations per second; 0 is 60
}

// Step is one thing that is done or looked at: a request, an action, clients together, or what
// shows. The bug is found where every step with Shows shows it.
type Step struct {
	Send   string            `json:"send,omitempty"`   // METHOD path; ${name} stands for what was saved, ${n} for a number
	Body   any               `json:"body,omitempty"`   // as JSON
	As     string            `json:"as,omitempty"`     // "" is one who may do everything; inline, nobody, or a saved token
	Header map[string]string `json:"header,omitempty"` // added last
	At     string            `json:"at,omitempty"`     // first (default), second or leader
	Save   map[string]string `json:"save,omitempty"`   // names of texts, by their place in the answer: a.b.c
	Want   []int             `json:"want,omitempty"`   // status codes; none is 2xx. Another one: the try says nothing
	Any    bool              `json:"any,omitempty"`    // any answer will do, or none
	Repeat int               `json:"repeat,omitempty"` // times

	Do    string            `json:"do,omitempty"` // an action, see actions
	Limit document.Duration `json:"limit"`        // of each request, of waiting, or how long an action lasts; 0 is 30 s

	Together []Step `json:"together,omitempty"` // what each of Clients does, again and again for Limit
	Clients  int    `json:"clients,omitempty"`

	Shows *Shows `json:"shows,omitempty"`
}

// Shows is what shows the bug: all that is given. Regular expressions may have ${name}.
type Shows struct {
	Status []int  `json:"status,omitempty"` // of the answer
	Body   string `json:"body,omitempty"`   // regular expression that the answer matches
	Silent bool   `json:"silent,omitempty"` // there is no answer within Limit
	Audit  string `json:"audit,omitempty"`  // regular expression that a line of the audit log matches
	// Without is a regular expression that such a line does not match.
	Without string `json:"without,omitempty"`
	Gone    bool   `json:"gone,omitempty"` // the node's process has ended, within Limit
	Lock    string `json:"lock,omitempty"` // same: the lock's holder is the one of the beginning, and leads
}

// limitOf is how long a step may take.
func limitOf(s *Step) time.Duration {
	if s.Limit == 0 {
		return 30 * time.Second
	}
	return time.Duration(s.Limit)
}

// actions are what a step can do beside requests.
func actions() []string {
	return []string{
		"step-down", "freeze", "wake", "kill", "start", "await-leader", "remove-lock", "take-lock", "fail-writes",
		"allow-writes", "pause",
	}
}

var bugs = document.Codec[table]{
	APIVersion: "steamer/v1", Kind: "KnownBugs", YAML: true, Hint: "see docs/track-record.md", Check: checkTable,
}

// Bugs are the rows.
func Bugs() []Bug {
	t, err := bugs.Decode("bugs.yaml", embedded)
	if err != nil {
		panic(err) // the file is part of the program
	}
	return t.Bugs
}

// Has reports whether a version of OpenBao is said to have the bug.
func (b *Bug) Has(version string) (bool, error) {
	has := true
	if b.Since != "" {
		is, err := openbao.AtLeast(version, b.Since)
		if err != nil {
			return false, err
		}
		has = is
	}
	if b.Fixed != "" {
		is, err := openbao.AtLeast(version, b.Fixed)
		if err != nil {
			return false, err
		}
		has = has && !is
	}
	return has, nil
}

// Public reports whether the bug is known outside Steamer.
func (b *Bug) Public() bool { return len(b.Issues) > 0 }

func checkTable(t *table) error {
	seen := map[string]bool{}
	for i := range t.Bugs {
		b := &t.Bugs[i]
		if err := b.check(); err != nil {
			return fmt.Errorf("bug %q: %w", b.ID, err)
		}
		if seen[b.ID] {
			return fmt.Errorf("bug %q is there twice", b.ID)
		}
		seen[b.ID] = true
	}
	return nil
}

func (b *Bug) check() error {
	for _, v := range []string{b.Since, b.Fixed} {
		if v == "" {
			continue
		}
		if _, err := openbao.AtLeast(v, v); err != nil {
			return err
		}
	}
	switch {
	case !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(b.ID):
		return errors.New("id: use small letters, digits and -")
	case b.Title == "":
		return errors.New("title: say what is wrong")
	case b.Times < 1 || b.Times > maxTimes:
		return fmt.Errorf("times: use 1 to %d", maxTimes)
	case (b.Schedule == nil) == (len(b.Steps) == 0):
		return errors.New("give one of schedule and steps")
	case b.Schedule != nil:
		return b.Schedule.check()
	}
	shows := 0
	for i := range b.Steps {
		if err := b.Steps[i].check(); err != nil {
			return fmt.Errorf("steps[%d]: %w", i, err)
		}
		if b.Steps[i].Shows != nil {
			shows++
		}
	}
	if shows == 0 {
		return errors.New("steps: no step shows the bug")
	}
	return nil
}

func (d *Drawn) check() error {
	if _, err := faults.Draw(0, d.Faults, d.Kinds); err != nil {
		return err
	}
	rules := check.Rules()
	for _, id := range d.Rules {
		if !slices.ContainsFunc(rules, func(r check.Rule) bool { return r.ID == id }) {
			return fmt.Errorf("rules: there is no %q", id)
		}
	}
	if len(d.Rules) == 0 {
		return errors.New("rules: name one that is violated")
	}
	_, err := regexp.Compile(d.Log)
	return err
}

func (s *Step) check() error {
	kinds := 0
	for _, is := range []bool{s.Send != "", s.Do != "", len(s.Together) > 0, s.Send == "" && s.Shows != nil} {
		if is {
			kinds++
		}
	}
	method, path, _ := strings.Cut(s.Send, " ")
	switch {
	case kinds != 1:
		return errors.New("give one of send, do, together, or shows alone")
	case s.Send != "" && (method != strings.ToUpper(method) || path == ""):
		return errors.New("send: say METHOD path")
	case s.Do != "" && !slices.Contains(actions(), s.Do):
		return exit.Invalidf("do", "choose from "+strings.Join(actions(), ", "), "there is no action %q", s.Do)
	case !slices.Contains([]string{"", first, second, leader}, s.At):
		return fmt.Errorf("at: there is no node %q", s.At)
	case s.Limit < 0 || s.Limit > document.Duration(10*time.Minute):
		return errors.New("limit: use up to 10m")
	case (len(s.Together) > 0) != (s.Clients > 0):
		return errors.New("together and clients go together")
	}
	for i := range s.Together {
		if t := &s.Together[i]; t.Send == "" || t.Shows != nil || t.check() != nil {
			return fmt.Errorf("together[%d]: only requests can be together", i)
		}
	}
	if s.Shows == nil {
		return nil
	}
	return s.Shows.check(s)
}

func (w *Shows) check(s *Step) error {
	answer := len(w.Status) > 0 || w.Body != "" || w.Silent
	switch {
	case answer != (s.Send != ""):
		return errors.New("shows: status, body and silent are of a request, and each request has one of them")
	case !answer && w.Audit == "" && !w.Gone && w.Lock == "":
		return errors.New("shows: say what")
	case w.Without != "" && w.Audit == "":
		return errors.New("shows: without is of audit")
	case w.Lock != "" && w.Lock != same:
		return fmt.Errorf("shows: lock: %q is not %s", w.Lock, same)
	}
	for _, pattern := range []string{w.Body, w.Audit, w.Without} {
		if _, err := regexp.Compile(placeholder.ReplaceAllString(pattern, "x")); err != nil {
			return fmt.Errorf("shows: %w", err)
		}
	}
	return nil
}
