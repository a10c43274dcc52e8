package session

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/steps"
)

// A private engine is in a network namespace without a way out, and so is all that talks to its
// clusters. A command that needs one therefore runs twice: first outside, until everything that
// takes the host's network is in the cache; then the same process begins again inside, with the
// same arguments, and finds it there.

// handover is what the first part of a command leaves for the second, beside the cache.
type handover struct {
	Charts chart.Pulled            `json:"charts"`
	Images map[string]images.Image `json:"images"` // those that flags name, pulled into archives, by their references
	// Versions of Debian packages that images were chosen by.
	Versions map[string][]string `json:"versions"`
	// Listeners are descriptors of sockets that the second part inherits.
	Listeners []int `json:"listeners"`
}

// Arrive finds out whether this process is inside the private engine's network namespace, and
// takes over what it left for itself.
func (s *Session) Arrive() error {
	s.versions = &images.Versions{}
	opts, err := s.EngineOptions()
	if err != nil {
		return nil // without a cache there is no private engine; who needs the cache says so
	}
	if s.Namespace, err = engine.Arrived(opts); err != nil {
		return err
	}
	if s.Namespace == nil || len(s.Namespace.Handover) == 0 {
		return nil
	}
	var left handover
	if err := json.Unmarshal(s.Namespace.Handover, &left); err != nil {
		return err
	}
	s.versions.Adopt(left.Versions)
	s.pulled, s.named, s.sockets = left.Charts, left.Images, left.Listeners
	return nil
}

// Leave ends the use of the private engine. What it says is about the machine and no part of the
// command's verdict.
func (s *Session) Leave(ctx context.Context) {
	if s.Namespace == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), steps.CleanupTimeout)
	defer cancel()
	if err := s.Namespace.Leave(ctx); err != nil {
		fmt.Fprintln(s.Stderr, "steamer: the private engine was not stopped:", err)
	}
}

// Ready decides where the cluster of a platform is, and checks everything that can be checked
// before anything is made.
func (s *Session) Ready(ctx context.Context, p *platform.Provider) error {
	if err := s.Place(ctx, p); err != nil {
		return err
	}
	return p.Preflight(ctx)
}

// Place decides where the cluster of a platform is. It refuses an engine that cannot work. A
// machine that can have none says so when the platform is brought up, after all errors of the
// plan.
func (s *Session) Place(ctx context.Context, p *platform.Provider) error {
	if !p.NeedsEngine() {
		return nil
	}
	elsewhere, err := s.Elsewhere(ctx)
	if exit.CodeOf(err) == exit.Environment {
		return nil
	}
	p.Elsewhere = elsewhere
	return err
}

// Elsewhere reports whether what needs an engine has to be done inside the private engine's
// network namespace.
func (s *Session) Elsewhere(ctx context.Context) (bool, error) {
	opts, err := s.EngineOptions()
	if err != nil {
		return false, err
	}
	wanted, err := engine.Wanted(ctx, opts)
	if err != nil || !wanted {
		return false, err
	}
	return true, s.repeatable()
}

// repeatable refuses arguments that can be read only once, such as those of a shell's <(…).
func (s *Session) repeatable() error {
	for _, arg := range s.Args {
		for _, path := range strings.FieldsFunc(arg, func(r rune) bool { return r == '=' || r == ',' || r == '@' }) {
			if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeNamedPipe != 0 {
				return exit.Invalidf(path, "name a regular file",
					"it is a pipe, and with a private engine arguments are read twice")
			}
		}
	}
	return nil
}

// Enter provides what platforms need from the host's network, and makes this process begin again
// inside. It returns on errors only.
func (s *Session) Enter(ctx context.Context, platforms ...*platform.Provider) error {
	left := handover{Charts: s.pulled, Images: map[string]images.Image{}}
	for _, p := range platforms {
		named, err := p.Provide(ctx, steps.New(s.Progress()))
		if err != nil {
			return err
		}
		maps.Copy(left.Images, named)
	}
	return s.begin(ctx, left)
}

// begin makes this process begin again inside the private engine's network namespace.
func (s *Session) begin(ctx context.Context, left handover) error {
	opts, err := s.EngineOptions()
	if err != nil {
		return err
	}
	left.Versions = s.versions.All()
	data, err := json.Marshal(left)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return engine.Enter(ctx, opts, data)
}

// EnterExisting makes this process begin again inside the private engine's network namespace,
// where there is one and no other engine is chosen. wanted says that one is needed in any case.
func (s *Session) EnterExisting(ctx context.Context, wanted bool) error {
	if s.Namespace != nil {
		return nil
	}
	opts, err := s.EngineOptions()
	if err != nil {
		return err
	}
	there, err := engine.Exists(opts)
	if err != nil || !there && !wanted {
		return err
	}
	private, err := s.Elsewhere(ctx)
	if exit.CodeOf(err) == exit.Environment { // who asks for an engine is told why there is none
		return nil
	}
	if err != nil || !private {
		return err
	}
	return s.Again(ctx)
}

// Again makes this process begin again inside the private engine's network namespace. It returns
// on errors only.
func (s *Session) Again(ctx context.Context) error { return s.begin(ctx, handover{}) }
