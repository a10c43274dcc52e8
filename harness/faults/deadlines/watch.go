package deadlines

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// probers is how many clients use what is revoked, one request after the other, half by each node.
const probers = 4

// Times after the acknowledgement: how long nothing may be granted until a trial ends, and when it
// ends in any case.
const (
	quietTime = 100 * time.Millisecond
	watchTime = time.Second / 2
)

// prober is a client that uses access until it is stopped.
type prober struct {
	client *openbao.Client
	grants atomic.Int64 // so far
	sent   time.Time    // of the last request that was granted
	got    time.Time    // its answer
	err    error
}

func (p *prober) run(ctx context.Context, use openbao.Request) {
	for ctx.Err() == nil {
		sent := time.Now()
		answer, err := p.client.Do(ctx, use)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.err = err
			return
		case answer.Status == http.StatusOK:
			p.sent, p.got = sent, time.Now()
			p.grants.Add(1)
		}
	}
}

// outcome is what a trial gave.
type outcome struct {
	late  bool          // a request that was sent after the acknowledgement was granted
	still bool          // access was granted until the trial's end
	last  time.Duration // from the acknowledgement to the answer of the last grant
}

// watch has probers use the access, revokes it and stops them once nothing is granted any more.
func (t *trial) watch(parent context.Context) (out outcome, err error) {
	ctx, stop := context.WithTimeout(parent, callTime)
	defer stop()
	list := make([]*prober, probers)
	var running sync.WaitGroup
	for i := range list {
		list[i] = &prober{client: openbao.New(t.nodes[i%len(t.nodes)].Address, t.http)}
		running.Go(func() { list[i].run(ctx, t.use) })
	}
	granted := func() (n int64, all bool) {
		all = true
		for _, p := range list {
			n, all = n+p.grants.Load(), all && p.grants.Load() > 0
		}
		return n, all
	}
	_, err = wait.Until(ctx, wait.For{What: "each client is granted access", Interval: 2 * time.Millisecond},
		func(context.Context) error {
			if _, all := granted(); !all {
				return errors.New("it is not")
			}
			return nil
		})
	if err == nil {
		err = t.revoke(ctx)
	}
	acknowledged := time.Now()
	if err == nil {
		out.still, err = quiet(ctx, func() int64 { n, _ := granted(); return n })
	}
	stop()
	running.Wait()
	for _, p := range list {
		err = errors.Join(err, p.err)
		out.late = out.late || p.sent.After(acknowledged)
		out.last = max(out.last, p.got.Sub(acknowledged))
	}
	return out, err
}

// quiet returns once nothing was granted for a while, or watchTime is over: then access is granted
// still.
func quiet(ctx context.Context, granted func() int64) (still bool, err error) {
	began, since, before := time.Now(), time.Now(), granted()
	_, err = wait.Until(ctx, wait.For{What: "nothing is granted any more", Interval: 5 * time.Millisecond},
		func(context.Context) error {
			now := granted()
			if now != before {
				before, since = now, time.Now()
			}
			still = time.Since(began) >= watchTime
			if time.Since(since) < quietTime && !still {
				return fmt.Errorf("%d grants", now)
			}
			return nil
		})
	return still, err
}
