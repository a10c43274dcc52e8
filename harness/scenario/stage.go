package scenario

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// seats is how much may go on beside each other on a Stage: more than there ever is.
const seats = 1 << 20

// Stage is a cluster that several installations share. What enters it goes on beside others, or
// alone.
type Stage struct {
	free *semaphore.Weighted

	mu      sync.Mutex
	inside  int
	crowded time.Time     // when more than one was last inside
	joined  int           // those that have yet to do what goes beside others
	changed chan struct{} // closed when the last of them left
}

// NewStage returns an empty stage.
func NewStage() *Stage { return &Stage{free: semaphore.NewWeighted(seats)} }

// Enter waits until there is place, for what goes on alone until nothing else is inside. The
// caller calls leave when it is done. The error is ctx's own.
func (s *Stage) Enter(ctx context.Context, alone bool) (leave func(), err error) {
	if s == nil {
		return func() {}, ctx.Err()
	}
	wanted := int64(1)
	if alone {
		wanted = seats
	}
	if err := s.free.Acquire(ctx, wanted); err != nil {
		return nil, err
	}
	s.count(1)
	return func() { s.count(-1); s.free.Release(wanted) }, nil
}

func (s *Stage) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside > 1 || s.inside+n > 1 {
		s.crowded = time.Now()
	}
	s.inside += n
}

// Beside reports whether anything else was inside at some time since then.
func (s *Stage) Beside(since time.Time) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inside > 1 || !s.crowded.Before(since)
}

// Join announces something that goes on beside others, so that what goes on alone waits for it and
// keeps nobody waiting in the middle. The caller calls leave in any case; it may be called twice.
func (s *Stage) Join() (leave func()) {
	if s == nil {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.joined++; s.joined == 1 {
		s.changed = make(chan struct{})
	}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.joined--; s.joined == 0 {
			close(s.changed)
		}
	})
}

// announced is how many are announced, at least the caller.
func (s *Stage) announced() int {
	if s == nil {
		return 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(1, s.joined)
}

// await waits until nothing is announced, or ctx ends.
func (s *Stage) await(ctx context.Context) {
	if s == nil {
		return
	}
	s.mu.Lock()
	joined, changed := s.joined, s.changed
	s.mu.Unlock()
	if joined == 0 {
		return
	}
	select {
	case <-changed:
	case <-ctx.Done():
	}
}
