package faults

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// A slow sink takes slowBytes in each slowTurn. probeTime bounds a request to a node that may not
// answer, and sinkTime what a node may take to open its audit log again.
const (
	slowBytes = 4 << 10
	slowTurn  = 50 * time.Millisecond
	probeTime = time.Second
	sinkTime  = 10 * time.Second
)

// auditGone has a link to nowhere where the audit log was, so that it cannot be opened. The proof
// are requests that the node answers with an error.
func (n *nemesis) auditGone(ctx context.Context, victim *node, s Step) (string, error) {
	refused := 0
	nowhere := func(at string) error { return os.Symlink(filepath.Join(at, "none"), at) }
	err := n.insteadOfAudit(nowhere, func(string, string) error {
		err := hangUp(victim)
		if err == nil {
			refused, err = n.probes(ctx, victim, s, http.StatusInternalServerError)
		}
		return err
	})
	return confirmed(refused), err
}

// auditSlow has a pipe that takes records slowly.
func (n *nemesis) auditSlow(ctx context.Context, victim *node, s Step) (string, error) {
	ticker := time.NewTicker(slowTurn)
	defer ticker.Stop()
	moved, err := n.auditPipe(ctx, victim, ticker.C, func() error { return wait.Pause(ctx, time.Duration(s.Length)) })
	return confirmed(moved), err
}

// auditStuck has a pipe that takes none. The proof are requests that the node does not answer.
func (n *nemesis) auditStuck(ctx context.Context, victim *node, s Step) (string, error) {
	silent := 0
	moved, err := n.auditPipe(ctx, victim, nil, func() (err error) {
		silent, err = n.probes(ctx, victim, s, 0)
		return err
	})
	return confirmed(moved, silent), err
}

// hangUp has a node open its audit log again.
func hangUp(n *node) error { return syscall.Kill(n.PID(), syscall.SIGHUP) }

// insteadOfAudit has something else where the audit log was, and the log elsewhere meanwhile. Each
// takes the other's place at once: OpenBao makes a new log where there is none.
func (n *nemesis) insteadOfAudit(obstacle func(at string) error, do func(path, log string) error) error {
	path := n.server.AuditLog()
	log, other := path+".kept", path+".other"
	err := os.Link(path, log)
	if err == nil {
		err = obstacle(other)
	}
	if err == nil {
		err = os.Rename(other, path)
	}
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return errors.Join(do(path, log), os.Rename(log, path))
}

// probes asks a node as long as a fault lasts, and counts answers of a status; 0 is no answer.
func (n *nemesis) probes(ctx context.Context, victim *node, s Step, status int) (count int, err error) {
	client := openbao.New(victim.Address, openbao.Trusting(false, nil))
	defer client.Close()
	for until := time.Now().Add(time.Duration(s.Length)); err == nil && time.Now().Before(until); {
		got := n.lookUp(ctx, client)
		if got == status {
			count++
		}
		err = wait.Pause(ctx, slowTurn)
	}
	return count, err
}

// lookUp asks for something that only the active node answers, and returns the status; 0 is no
// answer.
func (n *nemesis) lookUp(ctx context.Context, client *openbao.Client) int {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	answer, err := client.Do(ctx, openbao.Request{
		Method: http.MethodGet, Path: "auth/token/lookup-self", Header: http.Header{openbao.HeaderToken: {n.token}},
	})
	if err != nil {
		return 0
	}
	return answer.Status
}

// pipe is a sink that takes records as fast as it has turns, and then all that are left.
type pipe struct {
	from  *os.File
	rush  chan struct{} // closed when no turns are waited for any more
	ended chan struct{}
	moved int   // bytes; valid after ended
	err   error // valid after ended
}

// auditPipe has a node write its audit records to a pipe meanwhile, and then to the log again.
// What was written to the pipe goes there: auditPipe returns how many bytes.
func (n *nemesis) auditPipe(ctx context.Context, victim *node, turns <-chan time.Time, meanwhile func() error) (int,
	error,
) {
	p := &pipe{rush: make(chan struct{}), ended: make(chan struct{})}
	fifo := func(at string) error { return syscall.Mkfifo(at, 0o600) }
	err := n.insteadOfAudit(fifo, func(path, log string) error {
		err := p.begin(ctx, path, log, victim, turns)
		if err == nil {
			err = meanwhile()
		}
		return err
	})
	if p.from == nil {
		return 0, err
	}
	for _, node := range n.nodes { // one that took over meanwhile writes to the pipe, too
		if !node.Gone() {
			err = errors.Join(err, hangUp(node))
		}
	}
	close(p.rush)
	timer := time.AfterFunc(sinkTime, func() { _ = p.from.Close() })
	<-p.ended
	timer.Stop()
	return p.moved, errors.Join(err, p.err)
}

// begin opens the pipe and returns once the node writes to it.
func (p *pipe) begin(ctx context.Context, path, log string, writer *node, turns <-chan time.Time) error {
	hold, err := os.OpenFile(path, os.O_RDWR, 0) // opening one end alone waits for the other
	if err != nil {
		return err
	}
	defer func() { _ = hold.Close() }()
	if err := hangUp(writer); err != nil {
		return err
	}
	first := make([]byte, 1)
	if _, err := wait.Until(ctx, wait.For{What: "the node writes to another sink", Deadline: sinkTime},
		func(context.Context) error {
			if err := hold.SetReadDeadline(time.Now().Add(slowTurn)); err != nil {
				return err
			}
			_, err := io.ReadFull(hold, first)
			return err
		}); err != nil {
		return err
	}
	to, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return errors.Join(err, to.Close())
	}
	p.from = from
	go p.run(io.MultiReader(bytes.NewReader(first), from), to, turns)
	return nil
}

// run moves whole lines, which others append to the log, too, until the last writer has gone.
func (p *pipe) run(from io.Reader, to *os.File, turns <-chan time.Time) {
	defer close(p.ended)
	lines := bufio.NewReader(from)
	for taken := 0; ; {
		line, err := lines.ReadBytes('\n')
		if _, failed := to.Write(line); failed != nil {
			p.err = fmt.Errorf("audit log: %w", failed)
		}
		p.moved, taken = p.moved+len(line), taken+len(line)
		if err != nil || p.err != nil {
			p.err = errors.Join(p.err, to.Close(), p.from.Close())
			return
		}
		if taken >= slowBytes {
			select {
			case <-turns:
			case <-p.rush:
			}
			taken = 0
		}
	}
}
