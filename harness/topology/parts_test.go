package topology

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAuthority checks the chain as PostgreSQL's verify-full does: by name, and against this run's
// CA only.
func TestAuthority(t *testing.T) {
	t.Parallel()
	a, err := newAuthority("db.example", "machine")
	require.NoError(t, err)
	other, err := newAuthority("db.example")
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(a.certificate, a.key)
	require.NoError(t, err, "key and certificate belong together")
	block, rest := pem.Decode(a.certificate)
	require.Empty(t, rest)
	leaf, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	require.Equal(t, pair.Certificate[0], leaf.Raw)
	verify := func(ca []byte, name string, at time.Time) error {
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(ca))
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: at})
		return err
	}
	now := time.Now()
	require.NoError(t, verify(a.ca, "db.example", now))
	require.NoError(t, verify(a.ca, "machine", now))
	require.Error(t, verify(a.ca, "db.example.org", now))
	require.Error(t, verify(other.ca, "db.example", now))
	require.Error(t, verify(a.ca, "db.example", now.Add(25*time.Hour)))
}

func TestSplitRef(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string][2]string{
		"openbao:2.4":            {"openbao", "2.4"},
		"openbao":                {"openbao", ""},
		"host:5000/openbao":      {"host:5000/openbao", ""},
		"host:5000/a/openbao:2":  {"host:5000/a/openbao", "2"},
		"a/openbao@sha256:00ff":  {"a/openbao@sha256", "00ff"}, // charts join with a colon, which restores it
		"a/b:1@sha256:00ff":      {"a/b:1@sha256", "00ff"},
		"steamer.local/bao:1-ab": {"steamer.local/bao", "1-ab"},
		"":                       {"", ""},
	} {
		repository, tag := splitRef(ref)
		require.Equal(t, want, [2]string{repository, tag}, ref)
	}
}

// TestAwaitN runs on a made-up clock.
func TestAwaitN(t *testing.T) {
	t.Parallel()
	answers := func(script string, calls *int) func(context.Context) error { // + holds, - does not; the last repeats
		return func(context.Context) error {
			answer := script[min(*calls, len(script)-1)]
			*calls++
			if answer == '+' {
				return nil
			}
			return errors.New("minus")
		}
	}
	for name, tc := range map[string]struct {
		script string
		n      int
		calls  int // 0: it must not succeed
		cause  string
	}{
		"at once":                  {"+", 1, 1, ""},
		"three in a row":           {"+", 3, 3, ""},
		"a failure starts over":    {"-++-+++", 3, 7, ""},
		"never":                    {"-", 1, 0, "minus"},
		"never three in a row":     {"++-++-++-++-++-++-++-++-++-", 3, 0, "2 of 3 successes in a row"},
		"not long enough in a row": {"-------------------+", 3, 0, "1 of 3 successes in a row"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := awaitN(t.Context(), 19*pollInterval+pollInterval/2, "the thing", tc.n, answers(tc.script, &calls))
				if tc.calls > 0 {
					require.NoError(t, err)
					require.Equal(t, tc.calls, calls)
					return
				}
				require.Equal(t, exit.Environment, exit.CodeOf(err))
				require.ErrorContains(t, err, "the thing")
				require.ErrorContains(t, err, tc.cause)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		err := await(t.Context(), time.Minute, "the thing", func(ctx context.Context) error {
			if deadline, _ := ctx.Deadline(); time.Until(deadline) > time.Second {
				return errors.New("what explains it")
			}
			<-ctx.Done()
			return ctx.Err()
		})
		require.ErrorContains(t, err, "what explains it", "the deadline must not hide the cause")
	})
	parent, cancel := context.WithCancel(t.Context())
	err := await(parent, time.Hour, "the thing", func(context.Context) error { cancel(); return errors.New("minus") })
	require.Equal(t, context.Canceled, err)
}
