package localbao

import (
	"context"
	"sync"
)

// Shared starts one server for all tests of a package, when the first asks for
// it. Keep it in a package variable of the test and call Stop in TestMain.
type Shared struct {
	once   sync.Once
	server *Server
	err    error
}

// TB is the part of testing.TB that Get needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Get returns the server, or fails the test with the reason there is none.
func (s *Shared) Get(t TB) *Server {
	t.Helper()
	s.once.Do(func() { s.server, s.err = Start(context.Background(), Options{}) })
	if s.err != nil {
		t.Fatalf("%v", s.err)
	}
	return s.server
}

// Stop stops the server if it was started.
func (s *Shared) Stop() {
	if s.server != nil {
		s.server.Stop()
	}
}
