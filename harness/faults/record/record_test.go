package record

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// tried is the version that the table was made with.
const tried = "2.4.0"

// faked makes a server that has a bug which OpenBao 2.4.0 has not: the proof that the control can
// fail. Each control has one.
func faked() map[string]func(t *testing.T) *fake {
	return map[string]func(t *testing.T) *fake{
		"policies-after-takeover": func(t *testing.T) *fake {
			return newFake(t, func(f *fake, r *http.Request) (int, string) {
				if f.has("step-down") && r.Header.Get("X-Vault-Token") == "saved-token" {
					return 403, `{"errors":["permission denied"]}`
				}
				return 0, ""
			})
		},
		"namespace-create-refused": func(t *testing.T) *fake {
			var stuck atomic.Bool
			f := newFake(t, hanging(&stuck))
			f.did = func(_ *fake, action string) { stuck.Store(stuck.Load() || action == "fail-writes") }
			return f
		},
		"mount-delete-deadlock": deadlocked,
		"namespace-named-root": func(t *testing.T) *fake {
			return newFake(t, func(_ *fake, r *http.Request) (int, string) {
				if r.URL.Path == "/v1/a/sys/namespaces/root" {
					return 200, `{"data":{"id":"x","path":"a/"}}`
				}
				return 0, ""
			})
		},
	}
}

// deadlocked answers nothing any more once something is deleted.
func deadlocked(t *testing.T) *fake {
	var stuck atomic.Bool
	return newFake(t, func(f *fake, r *http.Request) (int, string) {
		stuck.Store(stuck.Load() || r.Method == http.MethodDelete)
		return hanging(&stuck)(f, r)
	})
}

// TestControlsCanFail: a server with the bug is found out, and one without is not.
func TestControlsCanFail(t *testing.T) {
	t.Parallel()
	controls := map[string]bool{}
	for _, b := range Bugs() {
		has, err := b.Has(tried)
		require.NoError(t, err)
		if has {
			continue
		}
		controls[b.ID] = true
		t.Run(b.ID, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, faked(), b.ID, "a control that is not proven")
			found, s, err := tryOn(t, faked()[b.ID](t), b.Steps)
			require.NoError(t, err)
			require.True(t, found)
			require.NotEmpty(t, s.proof)
			found, _, err = tryOn(t, newFake(t, nil), b.Steps)
			require.NoError(t, err)
			require.False(t, found, "a server that does everything")
		})
	}
	require.Len(t, controls, len(faked()))
}

// TestTable: the table is what the track record promises.
func TestTable(t *testing.T) {
	t.Parallel()
	public, controls := 0, 0
	for _, b := range Bugs() {
		has, err := b.Has(tried)
		require.NoError(t, err)
		switch {
		case has && b.Public():
			public++
			require.NotEmpty(t, b.Fixed+b.Advisory, b.ID)
		case !has:
			controls++
		}
		require.True(t, strings.HasSuffix(b.Title, "."), b.ID)
	}
	require.GreaterOrEqual(t, public, 8)
	require.GreaterOrEqual(t, controls, 2)
}

// TestTableRefuses: what is not well formed is refused, with its place.
func TestTableRefuses(t *testing.T) {
	t.Parallel()
	row := func(fields string) string {
		return "apiVersion: steamer/v1\nkind: KnownBugs\nbugs:\n- {id: a, title: T., issues: [1], times: 1, " + fields + "}\n"
	}
	good := row(`steps: [{send: GET a, shows: {status: [200]}}]`)
	_, err := bugs.Decode("good", []byte(good))
	require.NoError(t, err)
	for name, tc := range map[string]struct{ text, want string }{
		"version":       {strings.Replace(good, "v1", "v9", 1), "newer"},
		"unknown field": {row(`colour: red`), "colour"},
		"twice":         {good + strings.SplitN(good, "bugs:\n", 2)[1], "twice"},
		"id":            {strings.Replace(good, "id: a", "id: A b", 1), "small letters"},
		"times":         {strings.Replace(good, "times: 1", "times: 0", 1), "times"},
		"neither":       {row(`fixed: 2.5.0`), "one of schedule and steps"},
		"both":          {row(`schedule: {kinds: [term-active], faults: 1, rules: [S1]}, steps: [{do: pause}]`), "one of"},
		"fixed":         {row(`fixed: soon, steps: [{send: GET a, shows: {status: [200]}}]`), "soon"},
		"kinds":         {row(`schedule: {kinds: [flood], faults: 1, rules: [S2]}`), "flood"},
		"rules":         {row(`schedule: {kinds: [term-active], faults: 1, rules: [S99]}`), "S99"},
		"no rule":       {row(`schedule: {kinds: [term-active], faults: 1, rules: []}`), "name one"},
		"log":           {row(`schedule: {kinds: [term-active], faults: 1, rules: [S2], log: "("}`), "missing closing"},
		"nothing shows": {row(`steps: [{do: pause}]`), "no step shows"},
		"two things":    {row(`steps: [{send: GET a, do: pause}]`), "give one"},
		"action":        {row(`steps: [{do: flood}]`), "flood"},
		"method":        {row(`steps: [{send: get a}]`), "METHOD"},
		"node":          {row(`steps: [{send: GET a, at: third}]`), "third"},
		"limit":         {row(`steps: [{send: GET a, limit: 20m}]`), "limit"},
		"clients":       {row(`steps: [{together: [{send: GET a}]}]`), "go together"},
		"in together":   {row(`steps: [{together: [{do: pause}], clients: 1}]`), "only requests"},
		"shows nothing": {row(`steps: [{shows: {}}]`), "say what"},
		"body alone":    {row(`steps: [{shows: {body: x}}]`), "of a request"},
		"lock":          {row(`steps: [{shows: {lock: other}}]`), "other"},
		"without":       {row(`steps: [{shows: {gone: true, without: x}}]`), "without"},
		"pattern":       {row(`steps: [{send: GET a, shows: {body: "("}}]`), "missing closing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := bugs.Decode("bad", []byte(tc.text))
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		})
	}
}

func TestHas(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		since, fixed, version string
		want                  bool
	}{
		"always":   {"", "", "2.4.0", true},
		"before":   {"", "2.5.0", "2.4.9", true},
		"fixed":    {"", "2.5.0", "2.5.0", false},
		"later":    {"", "2.5.0", "2.10.0", false},
		"not yet":  {"2.4.3", "2.5.0", "2.4.0", false},
		"between":  {"2.4.3", "2.5.0", "2.4.3", true},
		"after":    {"2.4.3", "2.5.0", "2.6.2", false},
		"from on":  {"2.4.3", "", "2.6.2", true},
		"pre-rel.": {"", "2.5.0", "2.5.0-beta20251125", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := Bug{Since: tc.since, Fixed: tc.fixed}
			has, err := b.Has(tc.version)
			require.NoError(t, err)
			require.Equal(t, tc.want, has)
		})
	}
	_, err := (&Bug{Fixed: "2.5.0"}).Has("nightly")
	require.ErrorContains(t, err, "nightly")
}

// TestVerdict: a bug where it should not be fails, and one that is missed makes silence worth
// less.
func TestVerdict(t *testing.T) {
	t.Parallel()
	known := []int{1}
	for name, tc := range map[string]struct {
		row     Row
		verdict result.Verdict
		outcome string
		reason  string
	}{
		"found":  {Row{Issues: known, Expected: true, Tries: 5, Found: 2}, result.Pass, "2 of 5", "public bugs 1"},
		"own":    {Row{Expected: true, Tries: 5, Found: 5}, result.Pass, "5 of 5", "others 1"},
		"missed": {Row{Expected: true, Tries: 5}, result.Inconclusive, "0 of 5: not found", "should have it"},
		"silent": {Row{Tries: 5}, result.Pass, "0 of 5: not reproducible with this version", "silent controls: 1"},
		"alarm":  {Row{Tries: 5, Found: 1}, result.Fail, "1 of 5", "should not have it"},
		"partly": {
			Row{Expected: true, Tries: 5, Found: 1, Undecided: 3, Reason: "r"},
			result.Pass, "1 of 2",
			"found again",
		},
		"undecided":   {Row{Tries: 2, Undecided: 2, Reason: "no answer"}, result.Inconclusive, "not decided", "no answer"},
		"interrupted": {Row{}, result.Inconclusive, "not decided", "not tried"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Report{Record: result.NewRecord(Kind), Server: tried, Rows: []Row{tc.row}}
			r.conclude()
			require.Equal(t, tc.verdict, r.Verdict)
			require.Contains(t, strings.Join(r.Reasons, "; "), tc.reason)
			require.Equal(t, tc.outcome, r.Rows[0].Outcome())
			var text strings.Builder
			require.NoError(t, Text(&text, r))
			require.Contains(t, text.String(), tc.outcome)
		})
	}
}

// TestShown: only a violation of the rules shows the bug, and only one that says what it should.
func TestShown(t *testing.T) {
	t.Parallel()
	report := &check.Report{Violations: []check.Violation{
		{Rule: "S2", Title: "t", What: "granted"},
		{Rule: "S13", Title: "t", What: "ended", Steps: []check.Step{{Text: "log: panic: nil"}}},
	}}
	for name, tc := range map[string]struct {
		drawn Drawn
		want  []string
	}{
		"rule":       {Drawn{Rules: []string{"S2"}}, []string{"S2 (t): granted"}},
		"other rule": {Drawn{Rules: []string{"S11"}}, nil},
		"log":        {Drawn{Rules: []string{"S11", "S13"}, Log: "panic"}, []string{"S13 (t): ended", "log: panic: nil"}},
		"other log":  {Drawn{Rules: []string{"S13"}, Log: "deadlock"}, nil},
	} {
		require.Equal(t, tc.want, tc.drawn.shown(report), name)
	}
}

// TestRefuses: what cannot be tried is refused before anything is started.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		o    Options
		want string
	}{
		"times":    {Options{Times: -1, Parallel: 1}, "--times -1"},
		"only":     {Options{Only: []string{"nope"}, Parallel: 1}, "--only nope"},
		"nothing":  {Options{Only: []string{"lock-taken", "-lock-taken"}, Parallel: 1}, "no bug is left"},
		"program":  {Options{Server: localbao.Options{Binary: "/nowhere/bao"}, Parallel: 1}, "--bao /nowhere/bao"},
		"parallel": {Options{}, "--parallel 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tc.o.Validate()
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		})
	}
	list, err := (&Options{Only: []string{"-lock-taken"}}).chosen()
	require.NoError(t, err)
	require.Len(t, list, len(Bugs())-1)
	require.False(t, slices.ContainsFunc(list, func(b Bug) bool { return b.ID == "lock-taken" }))
}

// TestRun looks for a bug that the OpenBao at hand has, and for one that it has not.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := Run(t.Context(), Options{
		Only: []string{"mount-named-as-namespace", "namespace-named-root"}, Times: 1, Parallel: 2, Dir: dir,
		Progress: func(string) {},
	})
	require.NoError(t, err)
	require.Len(t, r.Rows, 2)
	for _, row := range r.Rows {
		require.Equal(t, 1, row.Tries)
		require.Zero(t, row.Undecided, row.Reason)
		require.Equal(t, row.Expected, row.Found == 1, row.ID)
	}
	require.Equal(t, result.Pass, r.Verdict)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
