package pgproxy

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// idle is the state of a connection outside a transaction, as ReadyForQuery names it.
const idle = 'I'

// errCut ends a link that was reset on purpose.
var errCut = errors.New("cut")

// link is one connection. What is below mu of the proxy is read and written with it held.
type link struct {
	proxy  *Proxy
	client net.Conn
	server net.Conn      // nil until it is connected
	gone   chan struct{} // closed when it was reset

	statements map[string]string // prepared ones, their SQL; only the client's side
	status     byte              // of the server's last ReadyForQuery
	wrote      bool              // data, in the transaction that is open
	committing bool              // was let through to be cut after it was executed
	lost       bool              // something
	failed     bool              // an error since the last ReadyForQuery; only the server's side
	held       []byte            // answers to a commit that is to be cut; only the server's side
}

// run leads messages through in both directions until one side ends.
func (l *link) run() {
	defer l.proxy.remove(l)
	defer func() { _ = l.client.Close() }()
	server, err := net.Dial("tcp", l.proxy.upstream())
	if err != nil {
		reset(l.client)
		return
	}
	defer func() { _ = server.Close() }()
	if !l.connected(server) {
		return
	}
	client := bufio.NewReader(l.client)
	next, asked, answered := read, l.asked, l.answered
	if l.proxy.plain {
		next, asked, answered = piece, unseen, unseen
	} else if again, err := l.startup(client); err != nil || !again {
		return
	}
	l.proxy.group.Go(func() {
		l.lead(client, server, next, asked)
		_ = server.Close()
	})
	l.lead(bufio.NewReader(server), l.client, next, answered)
}

// connected notes the connection to the server, unless the link was cut meanwhile.
func (l *link) connected(server net.Conn) bool {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	l.server = server
	_, there := l.proxy.links[l]
	return there
}

// lead passes messages on until one side ends. What see returns for a message goes on in its
// place. The end vanishes, too, while everything does.
func (l *link) lead(from *bufio.Reader, to net.Conn, next func(*bufio.Reader) (message, error),
	see func(message) ([]byte, error),
) {
	for {
		begins := from.Buffered() == 0
		m, err := next(from)
		if err != nil {
			if l.vanishes() {
				<-l.gone
			}
			return
		}
		raw, err := see(m)
		if err == nil && l.pass(len(raw), begins) {
			_, err = to.Write(raw)
		}
		if err != nil {
			return
		}
	}
}

// pass waits for as long as is wanted, where a piece begins, and reports whether so many bytes are
// to go on.
func (l *link) pass(bytes int, piece bool) bool {
	p := l.proxy
	p.mu.Lock()
	wait := p.delay
	if !piece {
		wait = 0
	}
	if wait > 0 {
		p.counts.Delayed++
	}
	p.mu.Unlock()
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.gone:
		}
	}
	if !l.vanishes() {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Lost += int64(bytes)
	return false
}

// vanishes reports whether what is sent now does not arrive.
func (l *link) vanishes() bool {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	l.lost = l.lost || l.proxy.lose
	return l.lost
}

// asked sees a message of the client.
func (l *link) asked(m message) ([]byte, error) {
	sync, commit, writes, identity := false, false, false, ""
	switch m.kind() {
	case 'P': // Parse
		var parse pgproto3.Parse
		if parse.Decode(m.body()) == nil {
			l.statements[parse.Name] = parse.Query
		}
	case 'B': // Bind; what is bound is executed in the same piece
		var bind pgproto3.Bind
		if bind.Decode(m.body()) == nil {
			writes = writesData(l.statements[bind.PreparedStatement])
			if takesLock(l.statements[bind.PreparedStatement]) && len(bind.Parameters) > 0 {
				identity = string(bind.Parameters[0])
			}
		}
	case 'Q': // Query
		var query pgproto3.Query
		if query.Decode(m.body()) == nil {
			commit = strings.EqualFold(strings.TrimSpace(query.String), "commit")
			writes = writesData(query.String)
		}
	case 'S': // Sync
		sync = true
	}
	p := l.proxy
	if identity != "" {
		l.hold()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.wrote = l.wrote || writes
	if identity != "" {
		p.identities[identity] = true
	}
	if !l.wrote || !commit && !(sync && l.status == idle) || p.left == 0 {
		return m, nil
	}
	p.left--
	if p.point == Before {
		if p.reset(l) {
			p.counts.Before++
		}
		p.finish()
		return nil, errCut
	}
	l.committing = true
	p.open++
	return m, nil
}

// hold waits while statements on the lock are held.
func (l *link) hold() {
	l.proxy.mu.Lock()
	held := l.proxy.held
	l.proxy.mu.Unlock()
	if held == nil {
		return
	}
	select {
	case <-held:
	case <-l.gone:
	}
}

// answered sees a message of the server.
func (l *link) answered(m message) ([]byte, error) {
	p := l.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	switch m.kind() {
	case 'E': // ErrorResponse
		var e pgproto3.ErrorResponse
		if e.Decode(m.body()) == nil {
			p.counts.Errors[e.Code]++
		}
		l.failed = true
	case 'C': // CommandComplete: the commit of a failed transaction is a rollback
		l.failed = l.failed || strings.HasPrefix(string(m.body()), "ROLLBACK")
	case 'Z': // ReadyForQuery
		return l.ready(m)
	}
	if l.committing {
		l.held = append(l.held, m...)
		return nil, nil
	}
	return m, nil
}

// ready sees that the server has done what it was asked. The proxy's lock has to be held.
func (l *link) ready(m message) ([]byte, error) {
	p := l.proxy
	if body := m.body(); len(body) == 1 {
		l.status = body[0]
	}
	committed := l.wrote && l.status == idle && !l.failed
	l.wrote, l.failed = l.wrote && l.status != idle, false
	if committed && !l.committing {
		p.counts.Commits++
	}
	if !l.committing {
		return m, nil
	}
	l.committing = false
	p.open--
	if committed {
		if p.reset(l) {
			p.counts.After++
		}
		p.finish()
		return nil, errCut
	}
	if p.point == After {
		p.left++ // it was refused, so that another takes its place
	}
	all := append(l.held, m...)
	l.held = nil
	return all, nil
}

// finish ends CutCommits with the last commit. The lock has to be held.
func (p *Proxy) finish() {
	if p.left == 0 && p.open == 0 && p.done != nil {
		close(p.done)
		p.done = nil
	}
}
