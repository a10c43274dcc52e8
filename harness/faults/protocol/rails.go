package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

const (
	// requestLimit bounds a request. Rails' is 60 s, of Net::HTTP.
	requestLimit = 30 * time.Second
	// mostPolls is how often a request with While is sent, as Rails does.
	mostPolls = 20
	// address is that of the Service of the pod that leads; the transport knows where that is.
	address = "http://openbao-active.invalid"
)

// How an attempt at an operation ended for the user.
const (
	opAcknowledged = "acknowledged"
	opRefused      = "refused" // with a message that Rails has for that
	opFailed       = "failed"  // with an error
)

// Attempt is one run of an operation.
type Attempt struct {
	Request string `json:"request"`
	When    string `json:"when"` // before, disturbed, meanwhile, retry or afterwards
	Result  string `json:"result"`
	Message string `json:"message,omitempty"` // of a refusal or an error
	Sent    []Sent `json:"sent"`
}

// Sent is a request that an attempt sent, or wanted to.
type Sent struct {
	Step    string  `json:"step"`
	Answer  string  `json:"answer"`
	Seconds float64 `json:"seconds"`

	number int // of the step
}

// rails is GitLab for one tenant.
type rails struct {
	protocol *Protocol
	recipe   *gitlab.Recipe
	about
	seed   string
	tenant gitlab.Tenant
}

// attempt runs an operation once, over a wire.
func (r *rails) attempt(ctx context.Context, q Request, w *wire) Attempt {
	client := openbao.New(address, &http.Client{
		Transport: w, Timeout: requestLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	a := &running{rails: r, client: client, wire: w, Attempt: Attempt{Request: q.String(), Sent: []Sent{}}}
	operation := r.protocol.operation(q.Op)
	refused, err := a.run(ctx, operation, q)
	switch {
	case err != nil:
		a.Result, a.Message = opFailed, err.Error()
	case refused != "":
		a.Result, a.Message = opRefused, refused
	default:
		a.Result = opAcknowledged
	}
	return a.Attempt
}

// running is an attempt that runs.
type running struct {
	*rails
	Attempt
	client *openbao.Client
	wire   *wire
}

func (a *running) run(ctx context.Context, o *Operation, q Request) (refused string, err error) {
	number := 0
	if o.Recipe {
		calls, err := a.recipe.Calls(a.tenant, a.issuer.URL(), a.audience)
		if err != nil {
			return "", err
		}
		for _, c := range calls {
			s := &Step{Name: c.Name, Method: c.Method, Path: c.Path, Tolerate: c.Tolerate}
			if c.AsUser {
				s.As = "user"
			}
			if _, err := a.send(ctx, s, number, c.Path, c.Body); err != nil {
				return "", fmt.Errorf("%s: %w", s.Name, err)
			}
			number++
		}
	}
	v := a.view(q)
	for i := range o.Steps {
		s := &o.Steps[i]
		refused, err := a.step(ctx, s, number+i, v)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.Name, err)
		}
		if refused != "" {
			return refused, nil
		}
	}
	return "", nil
}

// view is what the templates of an operation see.
func (a *running) view(q Request) *view {
	t := a.tenant
	levels := strings.Split(t.Name, "/")
	v := &view{
		Project: t.Project, Namespace: t.Name,
		Root: strings.Join(levels[:len(levels)-2], "/"), Group: levels[len(levels)-2],
		Parent: strings.Join(levels[:len(levels)-1], "/"), Leaf: levels[len(levels)-1],
		Issuer: a.issuer.URL(), Audience: a.audience, Now: time.Now().UTC().Format(time.RFC3339),
		Secret: q.Secret, Environment: q.Environment, Branch: q.Branch, User: q.User, Actions: q.Actions,
		V: map[string]string{},
	}
	if q.Value != 0 {
		v.Value = gitlab.Value(a.seed, t.Name, q.Secret, q.Value)
	}
	return v
}

// step makes a request, if its condition holds, and sets variables.
func (a *running) step(ctx context.Context, s *Step, number int, v *view) (refused string, err error) {
	if holds, err := v.holds(s.When); err != nil || !holds {
		return "", err
	}
	if s.Method != "" {
		if v.Answer, err = a.request(ctx, s, number, v); err != nil {
			return "", err
		}
	}
	if s.Refuse != nil {
		holds, err := v.holds(s.Refuse.When)
		if err != nil || holds {
			return s.Refuse.Message, err
		}
	}
	for name, text := range s.Set {
		if v.V[name], err = v.expand(text); err != nil {
			return "", err
		}
	}
	return "", nil
}

// request renders and sends, again while the answer says so.
func (a *running) request(ctx context.Context, s *Step, number int, v *view) (any, error) {
	path, err := v.expand(s.Path)
	if err != nil {
		return nil, err
	}
	var body any
	switch {
	case s.Policy != nil:
		body, err = v.policy(s.Policy)
	case s.Body != nil:
		body, err = v.body(s.Body)
	}
	if err != nil {
		return nil, err
	}
	for range mostPolls {
		if v.Answer, err = a.send(ctx, s, number, path, body); err != nil || s.While == "" {
			break
		}
		again, err := v.holds(s.While)
		if err != nil || !again {
			return v.Answer, err
		}
		_ = wait.Pause(ctx, 100*time.Millisecond)
	}
	return v.Answer, err
}

// send makes one request and returns the data of its answer.
func (a *running) send(ctx context.Context, s *Step, number int, path string, body any) (any, error) {
	var auth *openbao.InlineAuth
	var err error
	if s.As == "user" {
		auth, err = a.recipe.UserAuth(a.issuer, a.audience, a.tenant)
	} else {
		auth, err = a.issuer.RailsAuth(a.audience)
	}
	if err != nil {
		return nil, err
	}
	a.wire.step = number
	began := time.Now()
	var answer *openbao.Response
	for {
		answer, err = a.client.Do(ctx, openbao.Request{Method: s.Method, Path: path, Body: body, Auth: auth})
		if err != nil || !upgrading(answer) || time.Since(began) > requestLimit || ctx.Err() != nil {
			break
		}
		_ = wait.Pause(ctx, 50*time.Millisecond)
	}
	sent := Sent{Step: s.Name, number: number, Seconds: time.Since(began).Seconds()}
	if err != nil {
		sent.Answer = "none"
	} else {
		sent.Answer = fmt.Sprintf("%d", answer.Status)
	}
	a.Sent = append(a.Sent, sent)
	var lost *url.Error
	switch {
	case errors.As(err, &lost):
		return nil, lost.Err // without the address, which is made up
	case err != nil:
		return nil, err
	}
	return s.data(answer)
}

// upgrading reports the refusal of a new KV v2 mount that is not set up yet, which is no part of
// a sequence.
func upgrading(r *openbao.Response) bool {
	return r.Status == http.StatusBadRequest && strings.Contains(r.Message(),
		"Upgrading from non-versioned to versioned data")
}

// data is what an answer holds, nil for nothing. What the step does not expect is an error.
func (s *Step) data(r *openbao.Response) (any, error) {
	if !r.OK() {
		switch {
		case r.Status == http.StatusNotFound && s.Optional,
			r.Status/100 == 4 && slices.ContainsFunc(s.Tolerate,
				func(t string) bool { return strings.Contains(r.Message(), t) }):
			return nil, nil
		}
		return nil, fmt.Errorf("status %d: %s", r.Status, r.Message())
	}
	return decoded(r.Data)
}

// decoded is JSON whose numbers keep their form; nil for none.
func decoded(raw json.RawMessage) (data any, err error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err = d.Decode(&data)
	return data, err
}
