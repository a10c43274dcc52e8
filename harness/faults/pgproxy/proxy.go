// Package pgproxy stands between one OpenBao and PostgreSQL, understands the messages of its
// protocol, and breaks the way between them: also right before and right after a commit. It counts
// what it did, which is the proof that a fault took effect. It breaks other ways, too, whose bytes
// it does not understand.
//
// OpenBao 2.4.0 commits in two ways. A transaction ends with the statement COMMIT. Anything else
// is a statement of its own, such as that which stores a policy: PostgreSQL commits it when it
// gets the message Sync, and says so with ReadyForQuery.
package pgproxy

import (
	"context"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"
)

// Point is a place in a commit.
type Point int

// The points at which a connection can be cut.
const (
	nowhere Point = iota
	Before        // the server did everything but commit, and does not get the commit
	After         // the server has committed, and the client does not get the answer
)

// Counts are what a proxy has done and seen since it started.
type Counts struct {
	Commits int            // of data, that went through
	Cut     int            // connections, for whatever reason
	Before  int            // of them right before a commit
	After   int            // of them right after a commit
	Refused int            // new connections
	Delayed int            // pieces of a connection, in both directions
	Lost    int64          // bytes, in both directions
	Errors  map[string]int // that the server answered, by their SQLSTATE
}

// Proxy leads a loopback port to a PostgreSQL, or to anything else. Its methods are safe for
// concurrent use.
type Proxy struct {
	listener net.Listener
	plain    bool // what goes through is not understood
	group    sync.WaitGroup

	mu     sync.Mutex
	leads  string // where to, host:port
	links  map[*link]struct{}
	counts Counts
	// identities under which the client tried to take the lock
	identities map[string]bool
	refuse     bool
	held       chan struct{} // closed when statements on the lock go on; nil while none is held
	lose       bool
	delay      time.Duration
	point      Point
	left       int           // commits that are still to be cut at point
	open       int           // commits that were let through to be cut after them
	done       chan struct{} // closed when none is left
}

// Start listens on a free loopback port and leads to the PostgreSQL at an address, host:port.
func Start(postgres string) (*Proxy, error) { return start(postgres, false) }

// StartPlain leads to whatever listens at an address. Commits, errors and identities are not seen.
func StartPlain(address string) (*Proxy, error) { return start(address, true) }

func start(address string, plain bool) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy to "+address+": %w", err)
	}
	p := &Proxy{
		listener: listener, plain: plain, leads: address, links: map[*link]struct{}{},
		counts:     Counts{Errors: map[string]int{}},
		identities: map[string]bool{},
	}
	p.group.Go(p.accept)
	return p, nil
}

// Address is where the proxy listens, host:port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Lead leads new connections to another address from now on.
func (p *Proxy) Lead(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leads = address
}

func (p *Proxy) upstream() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leads
}

// Stop closes the listener and all connections, and returns when nothing runs any more.
func (p *Proxy) Stop() {
	p.Refuse(true)
	_ = p.listener.Close()
	p.Cut()
	p.group.Wait()
}

// Counts are what the proxy has done so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts
	c.Errors = maps.Clone(c.Errors)
	return c
}

// Ports are the local ports of the connections to PostgreSQL, by which its views name them.
func (p *Proxy) Ports() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ports []int
	for l := range p.links {
		if l.server != nil {
			ports = append(ports, l.server.LocalAddr().(*net.TCPAddr).Port)
		}
	}
	return ports
}

// Identified reports whether the client has tried to take OpenBao's lock under an identity, which
// is in the lock's row: who the lock's holder is.
func (p *Proxy) Identified(identity string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.identities[identity]
}

// Cut resets all connections, on both sides. It returns how many.
func (p *Proxy) Cut() int { return p.cut(func(*link) bool { return true }) }

// CutCommits resets the connections of the next n commits of data at a point, and returns how many
// it cut when all are or ctx ends. Commits of the lock by which OpenBao elects a leader are no
// data.
func (p *Proxy) CutCommits(ctx context.Context, at Point, n int) int {
	p.mu.Lock()
	before := p.counts
	done := make(chan struct{})
	p.point, p.left, p.done = at, n, done
	p.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.point, p.left = nowhere, 0
	return p.counts.Before - before.Before + p.counts.After - before.After
}

// Delay holds what comes from either side from now on for d; 0 ends it.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// HoldLock holds statements by which the client takes or renews OpenBao's lock from now on, or
// lets them go on.
func (p *Proxy) HoldLock(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case on && p.held == nil:
		p.held = make(chan struct{})
	case !on && p.held != nil:
		close(p.held)
		p.held = nil
	}
}

// Refuse resets new connections from now on, or no more.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Lose has everything vanish that is sent in either direction from now on, while connections stay
// open: the half-open connections that a lost machine or a firewall leaves. Switched off, it
// resets those that lost something, since they cannot go on.
func (p *Proxy) Lose(on bool) {
	p.mu.Lock()
	p.lose = on
	p.mu.Unlock()
	if !on {
		p.cut(func(l *link) bool { return l.lost })
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // Stop has closed it
		}
		l := &link{
			proxy: p, client: client, gone: make(chan struct{}), statements: map[string]string{}, status: idle,
		}
		if p.add(l) {
			p.group.Go(l.run)
		} else {
			reset(client)
		}
	}
}

// add takes a connection in, unless new ones are refused.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		p.counts.Refused++
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// cut resets some connections.
func (p *Proxy) cut(which func(*link) bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for l := range p.links {
		if which(l) && p.reset(l) {
			n++
		}
	}
	return n
}

// reset ends a connection, unless it has ended. The lock has to be held.
func (p *Proxy) reset(l *link) bool {
	if _, there := p.links[l]; !there {
		return false
	}
	p.counts.Cut++
	delete(p.links, l)
	close(l.gone)
	reset(l.client)
	if l.server != nil {
		reset(l.server)
	}
	return true
}

// reset closes a connection such that the other side gets a reset, whatever is on the way.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
