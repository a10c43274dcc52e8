package session

import (
	"context"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
)

// KindOn connects to a running engine, or starts a private one when start is set.
func (s *Session) KindOn(ctx context.Context, start bool) (*cluster.Kind, *engine.Engine, error) {
	me, err := s.Identity()
	if err != nil {
		return nil, nil, err
	}
	opts, err := s.EngineOptions()
	if err != nil {
		return nil, nil, err
	}
	detect := engine.Running
	if start {
		detect = engine.Detect
	}
	e, err := detect(ctx, opts)
	if err != nil {
		return nil, nil, exit.Environmentf("container engine", "steamer doctor", "none answers: %w", err)
	}
	k, err := cluster.NewKind(e, me, s.Note)
	return k, e, err
}

// KindToClear is KindOn for removing clusters. A private engine that died took its clusters'
// containers down and kept their data, and the next run would find them there: so it is started
// where marks say that there is something to remove. Without marks and engine it is nil.
func (s *Session) KindToClear(ctx context.Context) (*cluster.Kind, error) {
	me, err := s.Identity()
	if err != nil {
		return nil, err
	}
	marked, err := cluster.Marked(me)
	if err != nil {
		return nil, err
	}
	if err := s.EnterExisting(ctx, marked); err != nil {
		return nil, err
	}
	opts, err := s.EngineOptions()
	if err != nil {
		return nil, err
	}
	if _, err := engine.Running(ctx, opts); err != nil && !marked && s.Namespace == nil {
		if exit.CodeOf(err) == exit.Invalid {
			return nil, err
		}
		return nil, ctx.Err()
	}
	k, _, err := s.KindOn(ctx, marked || s.Namespace != nil)
	return k, err
}

// Down removes clusters as remove says, and stops the private engine when nothing else runs on it.
func (s *Session) Down(ctx context.Context, remove func(context.Context, *cluster.Kind) error) error {
	k, err := s.KindToClear(ctx)
	if err != nil || k == nil {
		return err
	}
	if err := remove(ctx, k); err != nil {
		return err
	}
	return s.StopIdle(ctx, k)
}

// Collect removes clusters whose run is gone, and kept ones whose time is over; or with all every
// one that no process uses. report gets the names of those that it removed and of those that are
// in use, or nil and nil where there is neither an engine nor a mark.
func (s *Session) Collect(ctx context.Context, all bool, report func(removed, used []string)) error {
	k, err := s.KindToClear(ctx)
	if err != nil {
		return err
	}
	if k == nil {
		report(nil, nil)
		return nil
	}
	removed, used, err := k.GC(ctx, all)
	report(append([]string{}, removed...), used)
	if err != nil {
		return err
	}
	if s.Namespace == nil { // a Docker that was started meanwhile does not hide a private engine
		return s.alsoPrivate(ctx)
	}
	return s.StopIdle(ctx, k)
}

// StopIdle stops a private engine that has no cluster left.
func (s *Session) StopIdle(ctx context.Context, k *cluster.Kind) error {
	found, err := k.List(ctx)
	if err != nil || len(found) > 0 {
		return err
	}
	return s.Namespace.Clear(ctx)
}

// alsoPrivate makes the command begin again inside the private engine's network namespace if there
// is one beside the engine that was seen to.
func (s *Session) alsoPrivate(ctx context.Context) error {
	opts, err := s.EngineOptions()
	if err != nil {
		return err
	}
	there, err := engine.Exists(opts)
	if err != nil || !there {
		return err
	}
	return s.Again(ctx)
}

// Open connects to a cluster that runs, from where it can be reached.
func (s *Session) Open(ctx context.Context, name string) (*cluster.Cluster, *engine.Engine, error) {
	if err := s.EnterExisting(ctx, false); err != nil {
		return nil, nil, err
	}
	k, e, err := s.KindOn(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	made, err := k.Open(ctx, name)
	return made, e, err
}
