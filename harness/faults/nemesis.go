package faults

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// recoverTime bounds how long a takeover or a recovery may take: a lock holds for 15 s, and a
// crowded machine is slow.
const recoverTime = 2 * time.Minute

// lockTime is how long a leader keeps its lock without renewing it, and some more.
const lockTime = 20 * time.Second

// nemesis does the faults of a schedule.
type nemesis struct {
	*watcher
	server  *localbao.Server // nil on a cluster
	pods    *pods            // nil for processes
	token   string
	spaces  *client     // of the faults in namespaces
	made    int         // namespaces by it
	undone  *history.Op // what a fault interrupted, to be done again
	late    []*client   // of freeze-late
	keys    *rotator
	waiting sync.WaitGroup // for their requests
}

// do does one fault, records it with its receipt, and returns once both nodes serve again.
func (n *nemesis) do(ctx context.Context, number int, s Step) error {
	k := kindOf(s.Fault)
	victim := n.victim(k)
	if victim == nil {
		return fmt.Errorf("fault %d (%s): no node leads", number, s.Fault)
	}
	event := history.Event{
		Kind: history.Fault, Number: number, Name: s.Fault, Receipt: history.Began,
		Pod: victim.number(),
	}
	n.record.Event(event)
	before := n.held()
	up, stop := n.whileUp(ctx)
	proof, err := k.on(n.pods != nil)(n, up, victim, s)
	stop()
	if err == nil {
		err = n.settled(ctx)
	} else {
		err = n.rescue(ctx, err)
		proof = history.Inconclusive
	}
	if err == nil {
		err = n.again(ctx)
	}
	if err != nil {
		return fmt.Errorf("fault %d (%s): %w", number, s.Fault, err)
	}
	moved := n.held() != before
	event.Receipt = receiptOf(proof, k, moved)
	n.record.Event(event)
	return nil
}

// receiptOf decides from what was seen: proof that the fault was there, and whether the lock got
// another holder.
func receiptOf(proof string, k kind, moved bool) string {
	if proof == history.Confirmed && k.moves && !moved {
		return history.Mismatched
	}
	return proof
}

// victim is the node that a fault is for.
func (n *nemesis) victim(k kind) *node {
	leads := n.leads()
	if leads != nil && k.standby {
		return n.nodes[(leads.pod+1)%len(n.nodes)]
	}
	return leads
}

func (n *nemesis) kill(ctx context.Context, victim *node, s Step) (string, error) {
	return n.end(ctx, victim, s, victim.Kill)
}

func (n *nemesis) term(ctx context.Context, victim *node, s Step) (string, error) {
	return n.end(ctx, victim, s, victim.Stop)
}

// end ends a process and starts it again once another node leads.
func (n *nemesis) end(ctx context.Context, victim *node, s Step, end func()) (string, error) {
	pid := victim.PID()
	before, led := n.held(), n.leads() == victim
	victim.out.Store(true)
	end()
	n.pod(victim, history.Down)
	receipt := history.Confirmed
	if _, err := proc.Read(pid); !errors.Is(err, fs.ErrNotExist) {
		receipt = history.Inconclusive
	}
	var err error
	if led {
		err = n.takenOver(ctx, before)
	}
	if err == nil {
		err = wait.Pause(ctx, time.Duration(s.Length))
	}
	if err != nil {
		return "", err
	}
	n.pod(victim, history.Started)
	if err := victim.Start(ctx); err != nil {
		return "", err
	}
	victim.out.Store(false)
	n.pod(victim, history.Up)
	return receipt, nil
}

// freeze stops a process, until another leads or for a while, and has it go on.
func (n *nemesis) freeze(ctx context.Context, victim *node, s Step) (receipt string, err error) {
	if s.Fault == "freeze-late" {
		n.grantLate(ctx, victim)
		defer n.waiting.Wait() // after the process goes on
	}
	process, err := os.FindProcess(victim.PID())
	if err != nil {
		return "", err
	}
	before := n.held()
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		return "", err
	}
	victim.out.Store(true)
	defer func() { // also where the run was interrupted: a stopped process cannot end in order
		n.pod(victim, history.Started)
		victim.out.Store(false)
		err = errors.Join(err, process.Signal(syscall.SIGCONT))
	}()
	receipt = history.Inconclusive
	if _, err := wait.Until(ctx, wait.For{
		What: "the process is stopped", Interval: 10 * time.Millisecond,
		Deadline: time.Second,
	},
		func(context.Context) error {
			stat, err := proc.Read(victim.PID())
			if err == nil && stat.State != "T" {
				err = fmt.Errorf("its state is %s", stat.State)
			}
			return err
		}); err == nil {
		receipt = history.Confirmed
		n.pod(victim, history.Frozen)
	}
	if !strings.HasPrefix(s.Fault, "pause-") {
		err = n.takenOver(ctx, before)
	}
	if err == nil && s.Fault == "freeze-late" {
		n.useLate(ctx, victim)
	}
	if err == nil {
		err = wait.Pause(ctx, time.Duration(s.Length))
	}
	return receipt, err
}

// stepDown asks a node to give up leadership.
func (n *nemesis) stepDown(ctx context.Context, victim *node, _ Step) (string, error) {
	before := n.held()
	if proof, err := n.ask(ctx, victim, "sys/step-down"); proof != history.Confirmed || err != nil {
		return proof, err
	}
	return history.Confirmed, n.takenOver(ctx, before)
}

// seal seals a node until another leads, and starts it again: its seal opens by itself only then.
func (n *nemesis) seal(ctx context.Context, victim *node, s Step) (string, error) {
	before := n.held()
	if proof, err := n.ask(ctx, victim, "sys/seal"); proof != history.Confirmed || err != nil {
		return proof, err
	}
	proof := history.Inconclusive
	if h, err := victim.health(ctx); err == nil && h.Sealed {
		proof = history.Confirmed
		n.pod(victim, history.Sealed)
	}
	if err := n.takenOver(ctx, before); err != nil {
		return "", err
	}
	if err := wait.Pause(ctx, time.Duration(s.Length)); err != nil {
		return "", err
	}
	_, err := n.end(ctx, victim, Step{}, victim.Stop)
	return proof, err
}

// ask sends a node a request without a body. The proof is that it says it was done.
func (n *nemesis) ask(ctx context.Context, victim *node, path string) (string, error) {
	client := victim.client()
	defer client.Close()
	limited, cancel := context.WithTimeout(ctx, recoverTime)
	defer cancel()
	r, err := client.Do(limited, openbao.Request{
		Method: http.MethodPut, Path: path, Header: http.Header{openbao.HeaderToken: {n.token}},
	})
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return history.Inconclusive, nil
	case !r.OK():
		return history.Mismatched, nil
	}
	return history.Confirmed, nil
}

func (n *nemesis) pod(victim *node, state string) {
	n.record.Event(history.Event{Kind: history.Pod, Name: state, Pod: victim.number()})
}

// takenOver waits until the lock has another holder than before, which leads.
func (n *nemesis) takenOver(ctx context.Context, before string) error {
	_, err := wait.Until(ctx, wait.For{
		What: "another term begins", Interval: 50 * time.Millisecond, Deadline: recoverTime,
	},
		func(context.Context) error {
			if n.held() == before {
				return errors.New("the lock has the same holder, or the new one does not lead yet")
			}
			return nil
		})
	return err
}

// recovered waits until one node leads and the others stand by, three times in a row.
func (n *nemesis) recovered(ctx context.Context) error {
	_, err := wait.Until(ctx, wait.For{
		What: "one node leads and the others stand by", Successes: 3, Interval: 100 * time.Millisecond,
		Deadline: recoverTime + n.patience(),
	}, func(ctx context.Context) error {
		if n.blind.Load() {
			return errors.New("PostgreSQL does not answer")
		}
		return n.serves(ctx, n.leader())
	})
	return err
}
