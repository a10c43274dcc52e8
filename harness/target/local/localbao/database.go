package localbao

import (
	"context"
	"fmt"
	"strings"
	"syscall"
)

// DatabasePID is the process ID of PostgreSQL's postmaster, the parent of all its processes.
func (s *Server) DatabasePID() int { return s.db.process.cmd.Process.Pid }

// StopDatabase ends PostgreSQL and returns when it is gone: in order, as a fast shutdown does, or
// by a crash, an immediate shutdown without a checkpoint, after which it has to recover.
// Connections are lost in both cases.
func (s *Server) StopDatabase(crash bool) {
	s.db.process.stop = syscall.SIGINT
	if crash {
		s.db.process.stop = syscall.SIGQUIT
	}
	s.db.process.Stop()
}

// StartDatabase starts PostgreSQL again, on the port and with the data that it had, and returns
// once it answers.
func (s *Server) StartDatabase(ctx context.Context) error { return s.db.start(ctx) }

// through returns the database's URL with its address replaced by what via returns for it.
func (d *database) through(via func(string) (string, error)) (string, error) {
	if via == nil {
		return d.URL(), nil
	}
	address := fmt.Sprintf("127.0.0.1:%d", d.port)
	other, err := via(address)
	if err != nil {
		return "", fmt.Errorf("a way to PostgreSQL: %w", err)
	}
	return strings.Replace(d.URL(), address, other, 1), nil
}
