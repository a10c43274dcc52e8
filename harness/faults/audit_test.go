package faults

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/historytest"
)

type buffer struct{ bytes.Buffer }

func (*buffer) Close() error { return nil }

// TestAuditRecords: whole records become events, also one that a killed node's half record
// precedes and one that comes in two pieces; a value in one is a leak.
func TestAuditRecords(t *testing.T) {
	t.Parallel()
	const id, other = "01234567-89ab-cdef-0123-456789abcdef", "ffffffff-89ab-cdef-0123-456789abcdef"
	line := func(kind, id, more string) string {
		return `{"time":"2026-11-30T12:00:00Z","type":"` + kind + `","request":{"id":"` + id + `","path":"` + more + `"}}`
	}
	first := line("request", id, "t0/secrets/data/k1") + "\n" + `{"time":"2026","type":"reque` + line("response", id,
		"x") + "\nno JSON\n"
	second := line("request", other, "t0/k1/5.17") + "\n" + line("other", id, "x") + "\n" + line("request", "", "x") + "\n"
	var out buffer
	record, err := history.NewRecorder(&out, history.Header{}, historytest.Clock())
	require.NoError(t, err)
	log := &pieces{list: []string{first, second[:50], second[50:]}}
	a := &auditor{record: record, log: log}
	for range 3 {
		require.NoError(t, a.read())
	}
	require.NoError(t, record.Close())
	r, err := history.NewReader("history", &out)
	require.NoError(t, err)
	var got []string
	for {
		_, e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		got = append(got, e.Name+" "+strings.Repeat("f", int(e.Request[0]>>7)))
	}
	require.Equal(t, []string{"request ", "response ", "request f", "leak f"}, got)
}

// pieces is a file that grows by a piece after each end.
type pieces struct {
	list []string
	at   int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.at == len(p.list) {
		return 0, io.EOF
	}
	n := copy(b, p.list[p.at])
	p.at++
	return n, io.EOF
}
