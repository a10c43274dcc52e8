package pods

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// starter holds processes back that have read their fixture, until all have, and lets them go at
// once.
type starter struct {
	fed  sync.WaitGroup // fixtures not yet handed over
	open chan struct{}
}

func newStarter(processes int) *starter {
	s := &starter{open: make(chan struct{})}
	s.fed.Add(processes)
	return s
}

// input is what one process reads: the fixture, and its end only once all processes may begin.
// Reading fails when ctx ends.
func (s *starter) input(ctx context.Context, fixture io.Reader) *heldInput {
	return &heldInput{ctx: ctx, starter: s, rest: fixture}
}

type heldInput struct {
	ctx     context.Context
	starter *starter
	rest    io.Reader
	read    bool
	ended   atomic.Bool // its end was read
}

func (h *heldInput) Read(p []byte) (int, error) {
	if !h.read {
		n, err := h.rest.Read(p)
		if err != io.EOF { // readers return it bare
			return n, err
		}
		h.read = true
		h.starter.fed.Done()
		if n > 0 {
			return n, nil
		}
	}
	select {
	case <-h.starter.open:
		h.ended.Store(true)
		return 0, io.EOF
	case <-h.ctx.Done():
		return 0, context.Cause(h.ctx)
	}
}

// await returns when all processes have been handed their fixture.
func (s *starter) await(ctx context.Context) error {
	all := make(chan struct{})
	go func() {
		s.fed.Wait()
		close(all)
	}()
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// latest is how far into an interval of the grid the signal may be given: the processes take the
// first multiple that is two seconds ahead of when it reaches them, and have to choose the same.
const latest = alignSeconds * time.Second / 2

// goAhead lets all processes begin, and returns when that will be: the next instant on the grid
// that all will choose.
func (s *starter) goAhead(ctx context.Context) (time.Time, error) {
	now := time.Now()
	begin := now.Truncate(alignSeconds * time.Second).Add(alignSeconds * time.Second)
	if begin.Sub(now) < latest {
		timer := time.NewTimer(time.Until(begin))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return begin, context.Cause(ctx)
		}
		begin = begin.Add(alignSeconds * time.Second)
	}
	close(s.open)
	return begin, nil
}
