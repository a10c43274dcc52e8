// Package protocol lets each request of a sequence fail by which GitLab's Rails keeps secrets in
// OpenBao, has Rails' documented retry follow, and asks who can read what afterwards. Sequences
// and situations are data; the package knows what was asked for, and what jobs and users get.
package protocol

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
)

//go:embed protocols/*.yaml
var embedded embed.FS

// Protocol is a set of sequences of requests with the situations that they are tried in.
type Protocol struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	ID         string `json:"id"`
	Title      string `json:"title"`
	Source     string `json:"source"` // where the sequences are described
	// Base is a protocol whose operations and cases are taken over, but for operations of the same
	// ID; only cases that an own operation takes part in are tried. "" is none.
	Base       string      `json:"base,omitempty"`
	Recipe     string      `json:"recipe,omitempty"` // ID of the recipe by which tenants are placed and provisioned
	Operations []Operation `json:"operations"`
	Cases      []Case      `json:"cases,omitempty"`

	own []string // operations that are not of the base
}

// Operation is one thing that Rails does for a user, as a sequence of requests.
type Operation struct {
	ID        string `json:"id"`
	Asks      string `json:"asks"` // what it asks for, one of effects
	Title     string `json:"title"`
	Source    string `json:"source"`
	Recipe    bool   `json:"recipe,omitempty"` // begins with the recipe's requests that provision a tenant
	Retries   int    `json:"retries"`          // how often it is repeated until it is acknowledged
	RetriedBy string `json:"retriedBy"`        // by whom
	// RetryAfter is how much later that is, at least. It gives OpenBao time to end what it does in
	// the background.
	RetryAfter document.Duration `json:"retryAfter,omitempty"`
	Steps      []Step            `json:"steps"`
}

// Step is a request, or without a method only the setting of variables. Texts are templates.
type Step struct {
	Name     string            `json:"name"`
	As       string            `json:"as,omitempty"` // "" for Rails itself, or "user" on behalf of the owner
	Method   string            `json:"method,omitempty"`
	Path     string            `json:"path,omitempty"` // relative to /v1/
	Body     map[string]any    `json:"body,omitempty"` // texts that render to nothing are left out
	Policy   *Edit             `json:"policy,omitempty"`
	When     string            `json:"when,omitempty"`     // "true" or "false"; "" is true
	While    string            `json:"while,omitempty"`    // repeats the request while its answer makes it "true"
	Optional bool              `json:"optional,omitempty"` // a 404 is an answer without data
	Tolerate []string          `json:"tolerate,omitempty"` // texts of an error that mean that it was done already
	Refuse   *Refusal          `json:"refuse,omitempty"`   // ends the operation with a message for the user
	Set      map[string]string `json:"set,omitempty"`      // variables, from the answer
}

// Edit is a body that is a policy in Rails' JSON form.
type Edit struct {
	From     string              `json:"from,omitempty"` // the policy it begins with; nothing is an empty one
	Grant    map[string][]string `json:"grant,omitempty"`
	Withdraw []string            `json:"withdraw,omitempty"`
	CAS      string              `json:"cas,omitempty"` // check-and-set version; "" sends none
}

// Refusal is a documented end of an operation.
type Refusal struct {
	When    string `json:"when"`
	Message string `json:"message"`
}

// Case is a situation: what was done before, what is disturbed, and what is done afterwards.
type Case struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Claim     *Claim    `json:"claim,omitempty"`
	Faults    []string  `json:"faults,omitempty"` // nothing is all
	Given     []Request `json:"given,omitempty"`
	Do        Request   `json:"do"`
	Meanwhile []Request `json:"meanwhile,omitempty"` // while Do is stalled; nothing is Do again
	Then      []Request `json:"then,omitempty"`
}

// Claim is something that a case is to demonstrate or refute.
type Claim struct {
	ID      string `json:"id"`
	Outcome string `json:"outcome"` // of a row that demonstrates it; "stuck" is any but converged
	Text    string `json:"text"`
}

// Request asks for an operation.
type Request struct {
	Op          string   `json:"op"`
	Secret      string   `json:"secret,omitempty"`
	Environment string   `json:"environment,omitempty"` // "" leaves it as it is
	Branch      string   `json:"branch,omitempty"`
	Value       int      `json:"value,omitempty"` // which value; 0 leaves it as it is
	User        int      `json:"user,omitempty"`
	Actions     []string `json:"actions,omitempty"` // of a permission: read, write, read_value
}

// String is what was asked for, for people.
func (q Request) String() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if q.Secret != "" {
		add("%s", q.Secret)
	}
	if q.User != 0 {
		add("user %d", q.User)
	}
	if q.Environment != "" {
		add("environment %s", q.Environment)
	}
	if q.Branch != "" {
		add("branch %s", q.Branch)
	}
	if q.Value != 0 {
		add("value %d", q.Value)
	}
	if len(q.Actions) > 0 {
		add("%s", strings.Join(q.Actions, "+"))
	}
	return strings.TrimSpace(q.Op + " " + strings.Join(parts, ", "))
}

// same reports whether two requests ask for the same.
func (q Request) same(o Request) bool { return q.String() == o.String() }

// What operations may ask for.
const (
	provision   = "provision"
	create      = "create"
	update      = "update"
	remove      = "delete"
	permit      = "permit"
	forbid      = "forbid"
	deprovision = "deprovision"
)

// effects are what an operation may ask for.
func effects() []string {
	return []string{provision, create, update, remove, permit, forbid, deprovision}
}

var codec = document.Codec[Protocol]{
	APIVersion: "steamer/v1", Kind: "Protocol", YAML: true,
	Hint: "compare it with harness/faults/protocol/protocols", Check: func(p *Protocol) error { return p.check() },
}

// Read returns the protocols that come with Steamer, and those in files. A file may name one that
// comes with Steamer as its base, and may not have its ID.
func Read(files ...string) ([]*Protocol, error) {
	names, err := fs.Glob(embedded, "protocols/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("embedded protocols: %w", err)
	}
	var list []*Protocol
	for _, name := range names {
		raw, err := embedded.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("embedded protocols: %w", err)
		}
		p, err := codec.Decode(name, raw)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	for _, name := range files {
		p, err := codec.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(o *Protocol) bool { return o.ID == p.ID }) {
			return nil, exit.Invalidf(name, "give it an ID of its own", "there is a protocol %q already", p.ID)
		}
		list = append(list, p)
	}
	for _, p := range list {
		if err := p.inherit(list); err != nil {
			return nil, exit.Invalidf(p.ID, "compare it with harness/faults/protocol/protocols", "%w", err)
		}
	}
	return list, nil
}

// inherit takes over what the base has, and checks that the whole fits together.
func (p *Protocol) inherit(list []*Protocol) error {
	for _, o := range p.Operations {
		p.own = append(p.own, o.ID)
	}
	if p.Base != "" {
		i := slices.IndexFunc(list, func(o *Protocol) bool { return o.ID == p.Base && o.Base == "" })
		if i < 0 {
			return fmt.Errorf("base: there is no protocol %q without a base of its own", p.Base)
		}
		base := list[i]
		p.Recipe = base.Recipe
		for _, o := range base.Operations {
			if !slices.Contains(p.own, o.ID) {
				p.Operations = append(p.Operations, o)
			}
		}
		own := p.Cases
		for _, c := range base.Cases {
			if slices.ContainsFunc(c.disturbed(), func(q Request) bool { return slices.Contains(p.own, q.Op) }) {
				p.Cases = append(p.Cases, c)
			}
		}
		p.Cases = append(p.Cases[len(own):len(p.Cases):len(p.Cases)], own...)
	}
	return p.whole()
}

// disturbed are the requests that a fault can be at or beside.
func (c *Case) disturbed() []Request { return append([]Request{c.Do}, c.Meanwhile...) }

func (c *Case) all() []Request { return slices.Concat(c.Given, c.disturbed(), c.Then) }

func (p *Protocol) operation(id string) *Operation {
	if i := slices.IndexFunc(p.Operations, func(o Operation) bool { return o.ID == id }); i >= 0 {
		return &p.Operations[i]
	}
	return nil
}

func (p *Protocol) recipe() (*gitlab.Recipe, error) {
	recipes, err := gitlab.Recipes()
	if err != nil {
		return nil, err
	}
	var known []string
	for _, r := range recipes {
		if r.ID == p.Recipe {
			return r, nil
		}
		known = append(known, r.ID)
	}
	return nil, fmt.Errorf("recipe %q is none of %s", p.Recipe, strings.Join(known, ", "))
}
