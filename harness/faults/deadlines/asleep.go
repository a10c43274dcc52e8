package deadlines

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// perSleep is how many trials of each kind one sleep of the leader has: as many requests wait in
// it.
const perSleep = 50

// asleep measures all kinds with a leader that sleeps until another one leads, which revokes. The
// requests are sent after that, to the one that sleeps.
func (o *Options) asleep(ctx context.Context, b *bench, r *Report, chosen []kind) error {
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(k kind) bool { return k.awakeOnly })
	first := len(r.Rows)
	for _, k := range chosen {
		r.Rows = append(r.Rows, Row{Kind: k.name, Revokes: k.revokes, Slept: true})
	}
	rows := r.Rows[first:]
	for done := 0; done < o.Trials && len(chosen) > 0; done += perSleep {
		leader, other, err := b.roles(ctx)
		if err != nil {
			return err
		}
		trials := make([][]*trial, len(chosen))
		for i, k := range chosen {
			for range min(perSleep, o.Trials-done) {
				t, err := b.prepare(ctx, k)
				if err == nil {
					err = b.call(ctx, t.use) // the leader has it in memory
				}
				if err != nil {
					return fmt.Errorf("%s: %w", k.name, err)
				}
				trials[i] = append(trials[i], t)
			}
		}
		before := slices.Clone(rows)
		if err := b.sleep(ctx, leader, other, trials, rows); err != nil {
			return err
		}
		if leader.Gone() {
			copy(rows, before) // that it granted nothing says nothing: it could not
			return ended(leader)
		}
		o.Progress(fmt.Sprintf("leader that slept: %d of %d trials of each kind", rows[0].Trials, o.Trials))
	}
	return nil
}

// ended says why a node is gone.
func ended(n *localbao.Node) error {
	return fmt.Errorf("the node at %s ended by itself: %s", n.Address, strings.Join(localbao.LastWords(n.Log()), "; "))
}

// sleep has the leader sleep, the other node revoke, and requests wait for the leader's wake-up.
func (b *bench) sleep(ctx context.Context, leader, other *localbao.Node, trials [][]*trial, rows []Row) (err error) {
	process, err := os.FindProcess(leader.PID())
	if err != nil {
		return err
	}
	wake := sync.OnceValue(func() error { return process.Signal(syscall.SIGCONT) })
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, wake()) }() // also where the run was interrupted
	b.at = openbao.New(other.Address, b.http)
	if _, err := wait.Until(ctx, wait.For{What: "the other node leads", Deadline: recoverTime},
		func(ctx context.Context) error { return leads(ctx, other) }); err != nil {
		return err
	}
	for _, list := range trials {
		for _, t := range list {
			if err := t.revoke(ctx); err != nil {
				return err
			}
		}
	}
	answers, err := b.waiting(ctx, leader, trials, wake)
	if err != nil {
		return err
	}
	for i, list := range answers {
		for _, a := range list {
			rows[i].Trials++
			if a.granted {
				rows[i].Late++
				rows[i].LastMillis = max(rows[i].LastMillis, millis(a.after))
			}
		}
	}
	return nil
}

// answer is what a request got that waited.
type answer struct {
	granted bool
	after   time.Duration // from the wake-up
}

// waiting sends the uses of all trials to a node that sleeps, wakes it once all were sent, and
// returns what they got. Its renewal of the lock, by which it learns that another one leads, is
// held until then: else which of them come first would decide.
func (b *bench) waiting(ctx context.Context, node *localbao.Node, trials [][]*trial, wake func() error,
) ([][]answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	client := openbao.New(node.Address, openbao.Trusting(false, b.server.CA))
	answers := make([][]answer, len(trials))
	var sent, answered sync.WaitGroup
	var woken time.Time
	awake := make(chan struct{})
	for i, list := range trials {
		answers[i] = make([]answer, len(list))
		for j, t := range list {
			sent.Add(1)
			once := sync.OnceFunc(sent.Done)
			traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
				WroteRequest: func(httptrace.WroteRequestInfo) { once() },
			})
			answered.Go(func() {
				defer once() // also where it could not be sent
				response, err := client.Do(traced, t.use)
				<-awake
				answers[i][j] = answer{err == nil && response.Status == http.StatusOK, time.Since(woken)}
			})
		}
	}
	sent.Wait()
	way := b.ways[slices.Index(b.nodes, node)]
	way.HoldLock(true)
	defer way.HoldLock(false)
	woken = time.Now()
	close(awake)
	err := wake()
	answered.Wait()
	return answers, err
}

// roles waits until one node leads and the other stands by, and directs requests to the leader.
func (b *bench) roles(parent context.Context) (leader, other *localbao.Node, err error) {
	ctx, giveUp := context.WithCancelCause(parent)
	defer giveUp(nil)
	_, err = wait.Until(ctx, wait.For{
		What: "one node leads and the other stands by", Successes: 3, Interval: 100 * time.Millisecond, Deadline: recoverTime,
	}, func(ctx context.Context) error {
		leader, other = nil, nil
		for _, node := range b.nodes {
			if node.Gone() {
				giveUp(ended(node))
			}
			if leads(ctx, node) == nil {
				leader = node
			} else {
				other = node
			}
		}
		if leader == nil || other == nil {
			return errors.New("not one of two nodes leads")
		}
		h, err := health(ctx, other)
		if err == nil && h.Status != http.StatusTooManyRequests {
			err = fmt.Errorf("the other answers %d", h.Status)
		}
		return err
	})
	if err == nil {
		b.at = openbao.New(leader.Address, b.http)
	} else if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return leader, other, err
}

func leads(ctx context.Context, node *localbao.Node) error {
	h, err := health(ctx, node)
	if err == nil && !h.Active() {
		err = fmt.Errorf("health answers %d", h.Status)
	}
	return err
}

func health(ctx context.Context, node *localbao.Node) (openbao.Health, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return node.Health(ctx)
}
