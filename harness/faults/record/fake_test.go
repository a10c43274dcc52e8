package record

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// fake is a system whose server is a function. It answers what the function leaves open as one
// would that does everything.
type fake struct {
	url    string
	mu     sync.Mutex
	asked  []string // METHOD path, as whom
	acted  []string
	log    string
	holder string
	dead   bool
	did    func(f *fake, action string)
}

// newFake starts a server. answer returns 0 for what it leaves open.
func newFake(t *testing.T, answer func(f *fake, r *http.Request) (status int, body string)) *fake {
	t.Helper()
	f := &fake{holder: "first"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body) // a server sees that a client is gone only after that
		r.Body = io.NopCloser(bytes.NewReader(content))
		f.mu.Lock()
		f.asked = append(f.asked, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/v1/")+" "+r.Header.Get(openbao.HeaderToken))
		f.mu.Unlock()
		status, body := 0, ""
		if answer != nil {
			status, body = answer(f, r)
		}
		if status == 0 {
			status, body = 200, `{"auth":{"client_token":"saved-token","accessor":"saved-accessor"}}`
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fake) node(context.Context, string) (string, error) { return f.url, nil }

func (f *fake) act(_ context.Context, action, _ string, _ time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acted = append(f.acted, action)
	if f.did != nil {
		f.did(f, action)
	}
	return nil
}

func (f *fake) audit() ([]byte, error) { return []byte(f.log), nil }

func (f *fake) lock(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.holder, nil
}

func (f *fake) gone(string) bool { return f.dead }

func (f *fake) token() string { return "admin" }

func (f *fake) login() (*openbao.InlineAuth, error) {
	return &openbao.InlineAuth{Path: "auth/jwt/login", Role: "app", JWT: "jwt"}, nil
}

// has reports whether an action was done.
func (f *fake) has(action string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.acted {
		if a == action {
			return true
		}
	}
	return false
}

// tryOn does steps on a fake, in much less time than on a server.
func tryOn(t *testing.T, f *fake, steps []Step) (bool, *script, error) {
	t.Helper()
	quick := append([]Step(nil), steps...)
	for i := range quick {
		quick[i].Limit = document.Duration(200 * time.Millisecond)
	}
	s := &script{system: f, http: openbao.Trusting(false, nil)}
	defer s.http.CloseIdleConnections()
	found, err := s.run(t.Context(), quick)
	return found, s, err
}

// hanging is an answer that never comes, once a condition holds.
func hanging(when *atomic.Bool) func(*fake, *http.Request) (int, string) {
	return func(_ *fake, r *http.Request) (int, string) {
		if when.Load() {
			<-r.Context().Done()
		}
		return 0, ""
	}
}
