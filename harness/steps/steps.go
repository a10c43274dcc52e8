// Package steps runs the steps of a command one after the other: it shows and records each, and
// keeps what undoes them.
package steps

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// CleanupTimeout bounds each cleanup, which has to work after the command was cancelled.
const CleanupTimeout = 3 * time.Minute

// Steps runs steps, and cleans up after them.
type Steps struct {
	UI UI // where progress goes

	mu       sync.Mutex
	done     []result.Step
	cleanups []*Undo // in the order of what they undo
}

// New returns steps whose progress goes to ui.
func New(ui UI) *Steps { return &Steps{UI: ui} }

// Do runs one step, unless ctx is cancelled already. topology may be empty.
func (s *Steps) Do(ctx context.Context, topology, name string, do func(context.Context) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	started := time.Now()
	s.UI.Start(topology, name)
	err := do(ctx)
	step := result.Step{
		Name: name, Topology: topology, Started: started.UTC(), Seconds: time.Since(started).Seconds(),
	}
	if err != nil {
		step.Error = OneLine(err)
	}
	s.mu.Lock()
	s.done = append(s.done, step)
	s.mu.Unlock()
	s.UI.Done(topology, name, time.Since(started), err)
	return err
}

// Done are the steps that have ended, in the order in which they began; never nil.
func (s *Steps) Done() []result.Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := append([]result.Step{}, s.done...)
	slices.SortStableFunc(done, func(a, b result.Step) int { return a.Started.Compare(b.Started) })
	return done
}

// Undo is what undoes one step.
type Undo struct {
	steps *Steps
	name  string
	do    func(context.Context) error
	once  sync.Once
}

// Cleanup registers what undoes a step. Clean calls it before what was registered earlier.
func (s *Steps) Cleanup(name string, do func(context.Context) error) *Undo {
	u := &Undo{steps: s, name: name, do: do}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, u)
	return u
}

// Now undoes the step, unless that was done before, although ctx was cancelled.
func (u *Undo) Now(ctx context.Context) (err error) {
	u.once.Do(func() { err = u.steps.Final(ctx, "", "clean up: "+u.name, u.do) })
	return err
}

// Forget leaves what the step did.
func (u *Undo) Forget() { u.once.Do(func() {}) }

// Clean undoes all steps that had something registered, in reverse order, although ctx was
// cancelled. One that fails does not keep the others from being undone.
func (s *Steps) Clean(ctx context.Context) error {
	s.mu.Lock()
	cleanups := s.cleanups
	s.cleanups = nil
	s.mu.Unlock()
	var failures []error
	for _, undo := range slices.Backward(cleanups) {
		failures = append(failures, undo.Now(ctx))
	}
	return errors.Join(failures...)
}

// Final runs a step that has to be done although ctx was cancelled, within CleanupTimeout.
func (s *Steps) Final(ctx context.Context, topology, name string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CleanupTimeout)
	defer cancel()
	return s.Do(ctx, topology, name, do)
}

// maxReason is how much of a text Shorten keeps, in bytes.
const maxReason = 400

// OneLine is an error's text on one line, without its hint and without secrets, for the steps and
// the reasons of a result. Helm's errors spread over several lines.
func OneLine(err error) string {
	text, _, _ := strings.Cut(secret.Redact(err.Error()), "\n  hint: ") // before a cut that could leave half a secret
	return Shorten(text)
}

// Shorten is a text on one line, cut after 400 bytes.
func Shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + " …"
	}
	return text
}
