package topology

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"sync"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// OpenDatabase is Database with one psql that stays for all queries: the suite asks hundreds of
// times, and to start a psql in a container costs far more than an answer. Call done in the end.
func (e *Environment) OpenDatabase(ctx context.Context) (database scenario.Database, done func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := administrator{e}
	s := &session{administrator: a, ctx: ctx, once: a.Query, start: func(ctx context.Context, in io.Reader,
		out io.Writer,
	) error {
		return a.converse(ctx, e.inputs().Database.Name, in, out)
	}}
	return s, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hangUp()
	}
}

// session asks a psql that stays, one query at a time.
type session struct {
	administrator
	ctx   context.Context                                              // of the psql, which outlives every query
	start func(ctx context.Context, in io.Reader, out io.Writer) error // runs psql until its input ends
	once  func(ctx context.Context, sql string) (string, error)        // asks by a psql of its own
	mu    sync.Mutex
	line  *line // nil when no psql runs
}

// line leads to a running psql.
type line struct {
	questions *io.PipeWriter
	replies   *io.PipeReader
	answers   *bufio.Scanner
	mark      string // by which the end of an answer is known
	cancel    context.CancelFunc
	ended     chan struct{}
}

// Query implements scenario.Database; the statement must only read, for where the conversation
// breaks off (PostgreSQL was restarted, the statement is wrong) it is asked once more by a psql of
// its own, which says what is the matter.
func (s *session) Query(ctx context.Context, sql string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == nil {
		s.dial()
	}
	if answer, err := s.line.ask(ctx, sql); err == nil {
		return answer, nil
	}
	s.hangUp()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return s.once(ctx, sql)
}

func (s *session) dial() {
	in, questions := io.Pipe()
	replies, out := io.Pipe()
	ctx, cancel := context.WithCancel(s.ctx)
	l := &line{
		questions: questions, replies: replies, answers: bufio.NewScanner(replies), mark: "end of answer " + rand.Text(),
		cancel: cancel, ended: make(chan struct{}),
	}
	go func() {
		defer close(l.ended)
		err := s.start(ctx, in, out)
		_ = in.CloseWithError(io.ErrClosedPipe)
		_ = out.CloseWithError(err) // nil is the end of psql
	}()
	s.line = l
}

// hangUp ends the psql, if one runs, and waits until it has ended.
func (s *session) hangUp() {
	if s.line == nil {
		return
	}
	_ = s.line.questions.Close() // psql ends with its standard input
	_ = s.line.replies.Close()
	s.line.cancel() // a PostgreSQL that is stopped lets psql hang
	<-s.line.ended
	s.line = nil
}

// ask sends a statement and returns the lines of its answer.
func (l *line) ask(ctx context.Context, sql string) (string, error) {
	defer context.AfterFunc(ctx, func() { _ = l.replies.CloseWithError(ctx.Err()) })()
	if _, err := fmt.Fprintf(l.questions, "%s\n;\n\\echo %s\n", sql, l.mark); err != nil {
		return "", err
	}
	var answer []string
	for l.answers.Scan() {
		if l.answers.Text() == l.mark {
			return strings.Join(answer, "\n"), nil
		}
		answer = append(answer, l.answers.Text())
	}
	if err := l.answers.Err(); err != nil {
		return "", err
	}
	return "", io.ErrUnexpectedEOF
}
