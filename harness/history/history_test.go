package history_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/historytest"
)

// whole reads a history to its end.
func whole(data []byte) (ops []history.Op, events []history.Event, complete bool, err error) {
	r, err := history.NewReader("history", bytes.NewReader(data))
	if err != nil {
		return nil, nil, false, err
	}
	for {
		o, e, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return ops, events, r.Complete(), nil
		case err != nil:
			return nil, nil, false, err
		case o != nil:
			ops = append(ops, *o)
		default:
			events = append(events, *e)
		}
	}
}

func generated() *historytest.History {
	return historytest.Generate(historytest.Options{
		Seed: 7, Clients: 5, Keys: 4, Ops: 400, Unknown: 0.05, DeleteLatest: 0.05, Purge: 0.02, Versions: 0.2, Access: 0.3,
		Faults: 2, Audit: true,
	})
}

// TestWhatIsWrittenIsRead: nothing of an operation or an event is lost on its way through a file.
func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	h := generated()
	last := h.Events[len(h.Events)-1].Time
	for _, text := range []string{"", "panic: \"nil\"\n\tat 0x0 \xff ü", strings.Repeat("\x01", history.MaxText)} {
		last++
		h.Events = append(h.Events, history.Event{Time: last, Kind: history.Log, Pod: history.NoPod, Text: text},
			history.Event{Time: last, Kind: history.Load, Name: history.LoadEnds, Pod: history.NoPod, Text: text})
	}
	data := h.Bytes()
	ops, events, complete, err := whole(data)
	require.NoError(t, err)
	require.True(t, complete)
	require.Len(t, ops, len(h.Ops))
	byCall := map[int64]history.Op{}
	for _, o := range ops {
		o.Line = 0
		byCall[o.Call] = o
	}
	for _, want := range h.Ops {
		require.Equal(t, *want, byCall[want.Call])
	}
	require.Len(t, events, len(h.Events))
	for i, got := range events {
		got.Line = 0
		require.Equal(t, h.Events[i], got)
	}
	perOp := float64(len(data)) / float64(len(h.Ops))
	require.Less(t, perOp, 230.0, "with audit records and commits")
	h.Events = nil
	require.Less(t, float64(len(h.Bytes()))/float64(len(h.Ops)), 105.0, "bytes for each operation")
}

// TestHoursAreRead: once a run has lasted 36 minutes, a time in microseconds is greater than the
// numbers of other fields may be.
func TestHoursAreRead(t *testing.T) {
	t.Parallel()
	const hours = int64(10 * time.Hour / time.Microsecond)
	h := generated()
	for _, o := range h.Ops {
		o.Call += hours
		if o.Return != history.Never {
			o.Return += hours
		}
	}
	for i := range h.Events {
		h.Events[i].Time += hours
	}
	last := h.Events[len(h.Events)-1].Time
	lost := history.Event{Time: last + 2, Kind: history.Lost, Pod: history.NoPod, Since: last + 1}
	h.Events = append(h.Events, lost)
	ops, events, complete, err := whole(h.Bytes())
	require.NoError(t, err)
	require.True(t, complete)
	require.Len(t, ops, len(h.Ops))
	lost.Line = events[len(events)-1].Line
	require.Equal(t, lost, events[len(events)-1])
}

// TestEveryBeginningIsAHistory: a killed run leaves whole lines, and what was open then may have
// happened.
func TestEveryBeginningIsAHistory(t *testing.T) {
	t.Parallel()
	lines := bytes.SplitAfter(generated().Bytes(), []byte("\n"))
	for n := 1; n < len(lines)-1; n += 7 {
		_, _, complete, err := whole(bytes.Join(lines[:n], nil))
		require.NoError(t, err, "%d lines", n)
		require.False(t, complete)
	}
	open := bytes.Join(lines[:1], nil)
	open = append(open, "c 5 1 write t0/k1 =1.1\n"...)
	ops, _, _, err := whole(open)
	require.NoError(t, err)
	require.Len(t, ops, 1)
	require.Equal(t, history.Unknown, ops[0].Result)
	require.Equal(t, history.Never, ops[0].Return)
}

const head = `{"apiVersion":"steamer/v1","kind":"History","started":"2026-11-30T12:00:00Z","seed":1}` + "\n"

// TestBadHistoriesAreRefused: each with the line and what is wrong, as bad input.
func TestBadHistoriesAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"empty":          {"", "the file is empty"},
		"no-history":     {"hello\n", "not a complete JSON document"},
		"other-kind":     {`{"apiVersion":"steamer/v1","kind":"Result"}` + "\n", "want \"steamer/v1\", \"History\""},
		"other-version":  {strings.Replace(head, "v1", "v2", 1), "is newer than \"steamer/v1\""},
		"unknown-field":  {strings.Replace(head, `"seed"`, `"sead"`, 1), "sead"},
		"negative-keep":  {strings.Replace(head, `"seed":1`, `"seed":1,"versions":-1`, 1), "out of range"},
		"cut-in-head":    {head[:30], "cut off"},
		"cut-in-line":    {head + "c 5 1 write t0/k1 =1", "line 2: the file is cut off within this line"},
		"clock":          {head + "c 5 1 purge t0/k1\nr 4 1 ok\n", "line 3: the clock runs backwards: 4 µs after 5 µs"},
		"clock-of-event": {head + "c 5 1 purge t0/k1\nx 4 phase final\n", "the clock runs backwards"},
		"two-open": {
			head + "c 5 1 purge t0/k1\nc 6 1 purge t0/k1\n",
			"line 3: client 1 has an operation open since line 2",
		},
		"none-open":        {head + "r 5 1 ok\n", "client 1 has no operation open"},
		"two-returns":      {head + "c 5 1 purge t0/k1\nr 6 1 ok\nr 7 1 ok\n", "client 1 has no operation open"},
		"unknown-line":     {head + "q 5\n", "unknown line"},
		"blank-line":       {head + "\n", "not a time"},
		"windows-line":     {head + "c 5 1 purge t0/k1\r\n", "is not a key"},
		"unknown-kind":     {head + "c 5 1 scan t0/k1\n", "unknown word \"scan\""},
		"unknown-result":   {head + "c 5 1 purge t0/k1\nr 6 1 good\n", "unknown word \"good\""},
		"unknown-event":    {head + "x 5 party\n", "unknown word"},
		"unknown-state":    {head + "x 5 pod happy p1\n", "unknown word"},
		"unknown-receipt":  {head + "x 5 fault n1 kill maybe\n", "unknown receipt"},
		"more-fields":      {head + "c 5 1 purge t0/k1 v4 more\n", "takes no version"},
		"more-at-the-end":  {head + "c 5 1 read t0/k1 more\n", "unexpected \"more\""},
		"negative-client":  {head + "c 5 -1 read t0/k1\n", "not a whole number"},
		"huge-client":      {head + "c 5 99999999999 read t0/k1\n", "not a whole number"},
		"leading-zero":     {head + "c 05 1 read t0/k1\n", "not a time"},
		"no-key":           {head + "c 5 1 read k1\n", "not a key"},
		"strange-key":      {head + "c 5 1 read t0/k\x001\n", "not a key"},
		"no-value":         {head + "c 5 1 write t0/k1\n", "has a value"},
		"zero-value":       {head + "c 5 1 write t0/k1 =1.0\n", "not a token"},
		"foreign-write":    {head + "c 5 1 write t0/k1 =t0/k2/1.1\n", "has a value"},
		"short-digest":     {head + "c 5 1 read t0/k1\nr 6 1 ok v1 =sha256:12\n", "not a token"},
		"read-no-value":    {head + "c 5 1 read t0/k1\nr 6 1 ok v1\n", "has its value"},
		"ok-no-version":    {head + "c 5 1 write t0/k1 =1.1\nr 6 1 ok\n", "version 0"},
		"absent-version":   {head + "c 5 1 read t0/k1\nr 6 1 absent v3\n", "version 3"},
		"purge-version":    {head + "c 5 1 purge t0/k1 v1\n", "takes no version"},
		"destroy-none":     {head + "c 5 1 destroy t0/k1\n", "needs a version"},
		"read-mismatch":    {head + "c 5 1 read t0/k1\nr 6 1 mismatch\n", "read cannot end with mismatch"},
		"no-cas-mismatch":  {head + "c 5 1 write t0/k1 =1.1\nr 6 1 mismatch\n", "without check-and-set"},
		"short-request":    {head + "c 5 1 purge t0/k1\nr 6 1 ok iab\n", "32 hexadecimal digits"},
		"lead-no-pod":      {head + "x 5 lead n1\n", "has a pod"},
		"lead-no-term":     {head + "x 5 lead p1\n", "has a number"},
		"log-no-text":      {head + "x 5 log p1\n", "not a quoted text"},
		"log-long-text":    {head + "x 5 log \"" + strings.Repeat("a", 241) + "\"\n", "at most 240 bytes"},
		"lost-no-time":     {head + "x 5 lost\n", "has a time before its own"},
		"lost-later":       {head + "x 5 lost s6\n", "has a time before its own"},
		"lost-more":        {head + "x 5 lost s4 p1\n", "unexpected"},
		"two-secrets":      {head + "c 5 1 read t0/k1,t0/k2\n", "not a key"},
		"audit-no-request": {head + "x 5 audit request\n", "has a request ID"},
		"long-line":        {head + "c 5 1 read t0/" + strings.Repeat("k", 2000) + "\n", "longer than"},
		"end-count":        {head + "e 5 7 0\n", "7 lines were written before it, and 1 are there"},
		"end-sum":          {head + "e 5 1 0\n", "another checksum"},
		"end-cut":          {head + "e 5 1\n", "the last line is not whole"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, _, err := whole([]byte(tc.text))
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			require.ErrorContains(t, err, "hint:")
		})
	}
}

// TestChangesAreNoticed: a line that is lost, doubled or changed afterwards.
func TestChangesAreNoticed(t *testing.T) {
	t.Parallel()
	data := generated().Bytes()
	lines := bytes.SplitAfter(data, []byte("\n"))
	_, _, _, err := whole(append(bytes.Clone(data), "x 99999999 phase final\n"...))
	require.ErrorContains(t, err, "follows the last line")
	_, _, _, err = whole(bytes.Replace(data, []byte(" ok"), []byte(" failed"), 1))
	require.Error(t, err)
	_, _, _, err = whole(bytes.Join(append(lines[:20:20], lines[21:]...), nil))
	require.Error(t, err)
	_, _, _, err = whole(data[:len(data)/2])
	require.ErrorContains(t, err, "cut off")
}

func TestCreate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history")
	r, err := history.Create(path, history.Header{Seed: 3})
	require.NoError(t, err)
	o := &history.Op{Client: 1, Kind: history.Use, Key: "t1/token:1", CAS: history.NoCAS, Pod: 2, Result: history.Refused}
	r.Call(o)
	r.Return(o)
	require.NoError(t, r.Err())
	require.NoError(t, r.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	ops, _, complete, err := whole(data)
	require.NoError(t, err)
	require.True(t, complete)
	require.Equal(t, history.Refused, ops[0].Result)
	_, err = history.Create(path, history.Header{})
	require.Equal(t, exit.Environment, exit.CodeOf(err), "it would overwrite a history")
}

// failing fails from the second write on.
type failing struct{ writes int }

func (f *failing) Write(p []byte) (int, error) {
	if f.writes++; f.writes > 1 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

func (*failing) Close() error { return nil }

func TestAFullDiskIsReported(t *testing.T) {
	t.Parallel()
	r, err := history.NewRecorder(&failing{}, history.Header{}, historytest.Clock())
	require.NoError(t, err)
	r.Event(history.Event{Kind: history.Phase, Name: history.Final, Pod: history.NoPod})
	require.Equal(t, exit.Environment, exit.CodeOf(r.Err()))
	require.Error(t, r.Close())
}

// FuzzReader: whatever a file holds, the reader returns or refuses it as bad input.
func FuzzReader(f *testing.F) {
	f.Add([]byte(head))
	f.Add([]byte(head + "c 5 1 write t0/k1 =1.1 c0\nr 6 1 ok v1 p0 i00112233445566778899aabbccddeeff\n"))
	f.Add([]byte(head + "x 5 fault n1 kill began p1\nx 6 pod down p1\nx 7 lead n2 p0\n"))
	f.Add(historytest.Generate(historytest.Options{Seed: 1, Clients: 2, Keys: 1, Ops: 5, Access: 0.5}).Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		ops, _, _, err := whole(data)
		if err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			return
		}
		for _, o := range ops {
			require.LessOrEqual(t, o.Call, o.Return)
		}
	})
}
