package protocol

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// whole checks what needs all operations.
func (p *Protocol) whole() error {
	if _, err := p.recipe(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, c := range p.Cases {
		if seen[c.ID] {
			return fmt.Errorf("case %q occurs twice", c.ID)
		}
		seen[c.ID] = true
		for _, q := range c.all() {
			o := p.operation(q.Op)
			if o == nil {
				return fmt.Errorf("case %q: there is no operation %q", c.ID, q.Op)
			}
			if err := q.fits(o.Asks); err != nil {
				return fmt.Errorf("case %q: %s: %w", c.ID, q, err)
			}
		}
	}
	return nil
}

// fits checks that a request has what its effect needs.
func (q Request) fits(effect string) error {
	switch {
	case slices.Contains([]string{create, update, remove}, effect) && !secretName.MatchString(q.Secret):
		return fmt.Errorf("secret: %q is not a name of letters, digits and underscores", q.Secret)
	case effect == create && (q.Environment == "" || q.Branch == "" || q.Value < 1):
		return fmt.Errorf("it needs environment, branch and value")
	case (effect == permit || effect == forbid) && q.User < 1:
		return fmt.Errorf("it needs a user")
	case q.Value < 0:
		return fmt.Errorf("value %d is negative", q.Value)
	}
	return nil
}

var (
	word       = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	secretName = regexp.MustCompile(`^[a-zA-Z0-9_]+$`)
)

// check refuses what one file alone shows to be wrong.
func (p *Protocol) check() error {
	switch {
	case !word.MatchString(p.ID):
		return fmt.Errorf("id %q must be lower-case words joined by hyphens", p.ID)
	case p.Title == "" || p.Source == "":
		return fmt.Errorf("title and source must be set")
	case p.Base == "" && p.Recipe == "":
		return fmt.Errorf("recipe or base must be set")
	case len(p.Operations) == 0:
		return fmt.Errorf("there are no operations")
	}
	seen := map[string]bool{}
	for _, o := range p.Operations {
		if seen[o.ID] {
			return fmt.Errorf("operation %q occurs twice", o.ID)
		}
		seen[o.ID] = true
		if err := o.check(); err != nil {
			return fmt.Errorf("operation %q: %w", o.ID, err)
		}
	}
	for _, c := range p.Cases {
		if !word.MatchString(c.ID) || c.Title == "" {
			return fmt.Errorf("case %q: its id must be lower-case words joined by hyphens, with a title", c.ID)
		}
		for _, f := range c.Faults {
			if !slices.Contains(Faults(), f) {
				return fmt.Errorf("case %q: fault %q is none of %s", c.ID, f, strings.Join(Faults(), ", "))
			}
		}
		if c.Claim != nil && !slices.Contains(append(stuckOutcomes(), anyStuck), c.Claim.Outcome) {
			return fmt.Errorf("case %q: claim: outcome %q is none of %s, %s", c.ID, c.Claim.Outcome,
				strings.Join(stuckOutcomes(), ", "), anyStuck)
		}
	}
	return nil
}

func (o *Operation) check() error {
	switch {
	case !word.MatchString(o.ID):
		return fmt.Errorf("its id must be lower-case words joined by hyphens")
	case !slices.Contains(effects(), o.Asks):
		return fmt.Errorf("asks: %q is none of %s", o.Asks, strings.Join(effects(), ", "))
	case o.Source == "" || o.RetriedBy == "":
		return fmt.Errorf("source and retriedBy must be set")
	case o.Retries < 0 || o.Retries > 10:
		return fmt.Errorf("retries %d are not 0 to 10", o.Retries)
	case o.RetryAfter < 0 || time.Duration(o.RetryAfter) > time.Minute:
		return fmt.Errorf("retryAfter %s is not 0 to 1m", time.Duration(o.RetryAfter))
	case len(o.Steps) == 0 && !o.Recipe:
		return fmt.Errorf("there are no steps")
	}
	for _, s := range o.Steps {
		if err := s.check(); err != nil {
			return fmt.Errorf("step %q: %w", s.Name, err)
		}
	}
	return nil
}

func (s *Step) check() error {
	request := s.Method != ""
	switch {
	case s.Name == "":
		return fmt.Errorf("it has no name")
	case request && !slices.Contains([]string{"GET", "POST", "DELETE"}, s.Method):
		return fmt.Errorf("method %q is none of GET, POST, DELETE", s.Method)
	case request && s.Path == "":
		return fmt.Errorf("path must be set")
	case !request && (s.Path != "" || s.Body != nil || s.Policy != nil || s.While != "" || s.Refuse != nil ||
		len(s.Set) == 0):
		return fmt.Errorf("without a method it can only set variables")
	case s.As != "" && s.As != "user":
		return fmt.Errorf("as %q is not user", s.As)
	case s.Body != nil && s.Policy != nil:
		return fmt.Errorf("body and policy are both set")
	case slices.ContainsFunc(s.Tolerate, func(t string) bool { return strings.TrimSpace(t) == "" }):
		return fmt.Errorf("tolerate holds an empty text, which would tolerate every error")
	}
	for _, text := range s.texts() {
		if err := parses(text); err != nil {
			return err
		}
	}
	return nil
}

// texts are the templates of a step.
func (s *Step) texts() []string {
	list := []string{s.Path, s.When, s.While}
	if s.Refuse != nil {
		list = append(list, s.Refuse.When)
	}
	if e := s.Policy; e != nil {
		list = slices.Concat(list, []string{e.From, e.CAS}, e.Withdraw)
		for path, capabilities := range e.Grant {
			list = append(append(list, path), capabilities...)
		}
	}
	return slices.AppendSeq(list, maps.Values(s.Set))
}
