package cluster

import (
	"encoding/base64"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
)

// operation is something that a person or a run does; it removes clusters or uses one.
type operation struct {
	name string
	do   func(t *testing.T, k *Kind) error
}

// The operations by the letters of the table below.
var operations = map[string]operation{
	"A": {"a run begins and removes what an earlier one left", func(t *testing.T, k *Kind) error {
		_, err := k.RemoveAbandoned(t.Context(), Options{Name: "a"})
		return err
	}},
	"G": {"cluster gc", func(t *testing.T, k *Kind) error { _, _, err := k.GC(t.Context(), false); return err }},
	"L": {"cluster gc --all", func(t *testing.T, k *Kind) error { _, _, err := k.GC(t.Context(), true); return err }},
	"D": {"cluster down", func(t *testing.T, k *Kind) error { return k.Delete(t.Context(), "a") }},
	"M": {"the end of this process's own run", func(t *testing.T, k *Kind) error {
		return k.DeleteMade(t.Context(),
			"a")
	}},
	"R": {"run --reuse", func(t *testing.T, k *Kind) error {
		name, err := k.Reusable(t.Context(), Options{Name: "a"})
		if err == nil {
			require.Equal(t, "a", name)
		}
		return err
	}},
}

// TestOwnership is the table of marks: whose each is, whether its owner lives, and which
// operations may have it. Letters are those of operations.
func TestOwnership(t *testing.T) {
	t.Parallel()
	change := func(f func(o *Owner)) func(*testing.T, *Kind) string {
		return func(_ *testing.T, k *Kind) string {
			o := markOf(k.me)
			f(&o)
			return o.source(k.registry.dir)
		}
	}
	changeText := func(f func(text string) string) func(*testing.T, *Kind) string {
		return func(_ *testing.T, k *Kind) string {
			return "/cache/" + markDir + "/" + base64.RawURLEncoding.EncodeToString([]byte(f(markOf(k.me).text())))
		}
	}
	literal := func(source string) func(*testing.T, *Kind) string {
		return func(*testing.T, *Kind) string { return source }
	}
	locked := func(use func(*testing.T, *Kind, Owner), f func(o *Owner)) func(*testing.T, *Kind) string {
		return func(t *testing.T, k *Kind) string {
			o := markOf(k.me)
			f(&o)
			path := o.source(k.registry.dir)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			use(t, k, o)
			return path
		}
	}
	another := func(t *testing.T, k *Kind, o Owner) { // as another process does
		file, err := os.Open(o.source(k.registry.dir))
		require.NoError(t, err)
		t.Cleanup(func() { _ = file.Close() })
		require.NoError(t, unix.Flock(int(file.Fd()), unix.LOCK_SH))
	}
	nobody := func(*testing.T, *Kind, Owner) {}
	this := func(t *testing.T, k *Kind, o Owner) { require.NoError(t, k.registry.use(o)) }
	dead := func(*Owner) {}
	elsewhere := func(o *Owner) { o.Namespace = "pid:[2]" }

	for name, tc := range map[string]struct {
		source  func(*testing.T, *Kind) string
		whose   Whose
		life    Life
		expired bool
		may     string
	}{
		"its run is gone":  {change(dead), Mine, Gone, true, "AGLDR"},
		"its run is there": {change(func(o *Owner) { o.PID = alivePID }), Mine, Alive, false, ""},
		"there, with its time over": {
			change(func(o *Owner) { o.PID, o.TTL = alivePID, time.Minute }), Mine, Alive, false,
			"",
		},
		"another took its number": {
			change(func(o *Owner) { o.PID, o.Start = alivePID, "778" }), Mine, Gone, true,
			"AGLDR",
		},
		"a zombie": {change(func(o *Owner) { o.PID = zombiePID }), Mine, Gone, true, "AGLDR"},
		"before the machine's boot": {
			change(func(o *Owner) { o.PID, o.Boot = alivePID, "boot-0" }), Mine, Gone, true,
			"AGLDR",
		},
		"kept": {change(func(o *Owner) { o.Keep = true }), Mine, Gone, false, "LDR"},
		"kept too long": {
			change(func(o *Owner) { o.Keep, o.TTL = true, time.Minute }), Mine, Gone, true,
			"AGLDR",
		},
		"kept too long, and in use": {
			change(func(o *Owner) { o.Keep, o.TTL, o.PID = true, time.Minute, alivePID }), Mine,
			Alive, false, "",
		},
		"of another process space": {change(elsewhere), Mine, Unknown, false, "DR"},
		"the same, with its time up": {
			change(func(o *Owner) { o.Namespace, o.TTL = "pid:[2]", time.Minute }), Mine, Unknown,
			false, "DR",
		},
		"without a boot":    {change(func(o *Owner) { o.Boot = "" }), Mine, Unknown, false, "DR"},
		"without a start":   {change(func(o *Owner) { o.Start = "" }), Mine, Unknown, false, "DR"},
		"locked by another": {locked(another, dead), Mine, Alive, false, ""},
		"kept and locked by another": {
			locked(another, func(o *Owner) { o.Keep, o.TTL = true, time.Minute }), Mine, Alive,
			false, "",
		},
		"locked in another space":     {locked(another, elsewhere), Mine, Alive, false, ""},
		"locked by nobody":            {locked(nobody, dead), Mine, Gone, true, "AGLDR"},
		"by nobody, in another space": {locked(nobody, elsewhere), Mine, Gone, true, "AGLDR"},
		"locked by this process":      {locked(this, func(o *Owner) { o.Keep = true }), Mine, Gone, false, "LDR"},
		"mine under another name":     {change(func(o *Owner) { o.Host, o.User = "ci8", "anne" }), Mine, Gone, true, "AGLDR"},

		"another user":     {change(func(o *Owner) { o.UID = 1001 }), Theirs, Unknown, false, ""},
		"root's":           {change(func(o *Owner) { o.UID = 0 }), Theirs, Unknown, false, ""},
		"another checkout": {change(func(o *Owner) { o.Checkout = "/home/anna/other" }), Theirs, Gone, false, ""},
		"no checkout":      {change(func(o *Owner) { o.Checkout = "" }), Theirs, Gone, false, ""},
		"another cache":    {change(func(o *Owner) { o.Cache = "/tmp/cache" }), Theirs, Gone, false, ""},
		"another machine":  {change(func(o *Owner) { o.Machine = "m2" }), Theirs, Unknown, false, ""},
		"all over, theirs": {change(func(o *Owner) { o.UID, o.Boot, o.TTL = 1001, "boot-0", 1 }), Theirs, Unknown, false, ""},

		"an earlier Steamer's": {literal("/home/anna/.cache/steamer/clusters/a.json"), Unreadable, "", false, ""},
		"a directory":          {literal("/var/lib/nothing"), Unreadable, "", false, ""},
		"no base 64":           {literal("/cache/" + markDir + "/!!!"), Unreadable, "", false, ""},
		"garbage":              {changeText(func(string) string { return "\x00\xff" }), Unreadable, "", false, ""},
		"no JSON": {
			changeText(func(text string) string { return text[:len(text)-1] }), Unreadable, "",
			false, "",
		},
		"something after it": {changeText(func(text string) string { return text + "{}" }), Unreadable, "", false, ""},
		"version 1": {changeText(func(text string) string {
			return strings.Replace(text, `"version":2`,
				`"version":1`, 1)
		}), Unreadable, "", false, ""},
		"version 3": {changeText(func(text string) string {
			return strings.Replace(text, `"version":2`,
				`"version":3`, 1)
		}), Unreadable, "", false, ""},
		"an unknown field": {changeText(func(text string) string {
			return strings.Replace(text, `"run"`, `"ran"`,
				1)
		}), Unreadable, "", false, ""},
		"another type": {changeText(func(text string) string {
			return strings.Replace(text, `"uid":1000`,
				`"uid":"1000"`, 1)
		}), Unreadable, "", false, ""},
		"another cluster's":        {change(func(o *Owner) { o.Name = "b" }), Unreadable, "", false, ""},
		"no process":               {change(func(o *Owner) { o.PID = 0 }), Unreadable, "", false, ""},
		"no time":                  {change(func(o *Owner) { o.Created = time.Time{} }), Unreadable, "", false, ""},
		"no time to live":          {change(func(o *Owner) { o.TTL = 0 }), Unreadable, "", false, ""},
		"no machine":               {change(func(o *Owner) { o.Machine = "" }), Unreadable, "", false, ""},
		"an empty object":          {changeText(func(string) string { return "{}" }), Unreadable, "", false, ""},
		"nothing":                  {literal("/cache/" + markDir + "/"), Unreadable, "", false, ""},
		"somebody's, without mark": {literal(""), Unmarked, "", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, e, _ := newFake(t, someone(t))
			e.node("a", tc.source(t, k))
			found, err := k.List(t.Context())
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Equal(t, []any{tc.whose, tc.life, tc.expired}, []any{found[0].Whose, found[0].Life, found[0].Expired}, "%+v",
				found[0])
			require.Equal(t, tc.whose == Unreadable, found[0].Problem != "")
			for letter, op := range operations {
				k, e, _ := newFake(t, someone(t))
				id := e.node("a", tc.source(t, k))
				theirs := markOf(k.me)
				theirs.Name, theirs.UID = "b", 1001
				stays := []string{e.node("a", ""), e.node("b", theirs.source("/b")), e.machine("b", ""), e.machine("c", "{}")}
				if letter == "R" || letter == "D" { // they answer for all of the name
					e.containers = slices.DeleteFunc(e.containers, func(c container) bool { return c.ID == stays[0] })
					stays = stays[1:]
				}
				err := op.do(t, k)
				may := strings.Contains(tc.may, letter)
				switch letter {
				case "R", "D":
					require.Equal(t, may, err == nil, "%s: %v", op.name, err)
					if !may {
						require.Equal(t, exit.Invalid, exit.CodeOf(err), "%s: %v", op.name, err)
						require.NotContains(t, err.Error(), "kind delete")
						require.NotContains(t, err.Error(), "cluster gc")
					}
				default:
					require.NoError(t, err, op.name)
				}
				var want []string
				if may && letter != "R" {
					want = []string{id}
				}
				require.Equal(t, want, e.removed, op.name)
				for _, id := range stays {
					require.True(t, slices.ContainsFunc(e.containers, func(c container) bool { return c.ID == id }), op.name)
				}
			}
		})
	}
}

// TestNothingOfOthers: whatever the marks on an engine are, no operation removes a container that
// does not carry the mark of this owner. Marks are drawn at random: fields of others, of this
// owner, damaged text.
func TestNothingOfOthers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(16, 2))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	me := someone(t)
	removed := 0
	k, e, _ := newFake(t, me)
	for range 300 {
		e.containers, e.removed = nil, nil
		mine := map[string]bool{}
		for range 1 + random.IntN(12) {
			o := markOf(me)
			o.Name, o.Run = pick("a", "b"), pick("r1", "r2")
			o.UID = 1000 + random.IntN(8)/7
			o.Checkout, o.Cache, o.Machine = pick(me.Checkout, me.Checkout, "/x"), pick(me.Cache, me.Cache, "/y"),
				pick("m1", "m1", "m2")
			o.PID, o.Namespace, o.Keep = alivePID+random.IntN(3), pick("pid:[1]", "pid:[2]"), random.IntN(2) == 0
			o.TTL = time.Duration(1+random.IntN(180)) * time.Minute
			text, ours := o.text(), o.same(me)
			if random.IntN(4) == 0 { // a damaged byte
				damaged := []byte(text)
				damaged[random.IntN(len(damaged))] ^= byte(1 + random.IntN(255))
				text = string(damaged)
				p, err := parseMark(text)
				ours = err == nil && p.Name == o.Name && p.Machine == me.Machine && p.UID == me.UID && p.Checkout == me.Checkout &&
					p.Cache == me.Cache
			}
			var id string
			if random.IntN(4) == 0 {
				id = e.machine(o.Name, text)
			} else {
				id = e.node(o.Name, "/cache/"+markDir+"/"+base64.RawURLEncoding.EncodeToString([]byte(text)))
			}
			mine[id] = ours
		}
		for _, letter := range slices.Sorted(strings.SplitSeq("AGMDL", "")) {
			err := operations[letter].do(t, k)
			require.True(t, err == nil || exit.CodeOf(err) == exit.Invalid, "%v", err)
			for _, id := range e.removed {
				require.True(t, mine[id], "%s removed %s", operations[letter].name, id)
			}
		}
		removed += len(e.removed)
	}
	require.Greater(t, removed, 100, "the draws have to be worth something")
}

// TestNameTakenOver: what is removed is what carried the mark when it was read, and not what has
// its name by then.
func TestNameTakenOver(t *testing.T) {
	t.Parallel()
	k, e, _ := newFake(t, someone(t))
	old := e.node("a", markOf(k.me).source(k.registry.dir))
	other := markOf(k.me)
	other.UID = 1001
	var taken string
	e.before = func(command string) {
		if command == "rm" && taken == "" {
			e.containers = slices.DeleteFunc(e.containers, func(c container) bool { return c.ID == old })
			taken = e.node("a", other.source("/home/bert"))
		}
	}
	require.NoError(t, k.Delete(t.Context(), "a"), "gone is gone")
	require.Len(t, e.containers, 1)
	require.Equal(t, taken, e.containers[0].ID)
	require.Empty(t, e.removed)
}

// TestRemoveTakesEverything: all nodes and machines of a cluster go with it, and its files; the
// shared network stays.
func TestRemoveTakesEverything(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		k, e, _ := newFake(t, someone(t))
		k.private = private
		o := markOf(k.me)
		require.NoError(t, k.registry.write(o))
		require.NoError(t, os.WriteFile(k.registry.kubeconfig(o), nil, 0o600))
		for range 3 {
			e.node("a", o.source(k.registry.dir))
		}
		e.machine("a", o.text())
		found, err := k.List(t.Context())
		require.NoError(t, err)
		require.Len(t, found, 1, "one cluster")
		require.Equal(t, 3, found[0].Nodes)
		require.NoError(t, k.Delete(t.Context(), "a"))
		require.Empty(t, e.containers)
		require.Equal(t, !private, e.networks)
		require.NoDirExists(t, filepath.Join(k.registry.dir, markDir))
		require.NoFileExists(t, k.registry.kubeconfig(o))
		require.NoError(t, k.Delete(t.Context(), "a"), "once more")
	}
}

// TestStrayMarks: gc forgets marks of mine that nothing carries, those of kept clusters with --all
// only, unless a process uses their cluster on another engine; others' stay.
func TestStrayMarks(t *testing.T) {
	t.Parallel()
	k, _, _ := newFake(t, someone(t))
	stray, kept, used, theirs := markOf(k.me), markOf(k.me), markOf(k.me), markOf(k.me)
	used.Name, used.PID, theirs.Checkout = "b", alivePID, "/home/anna/other"
	kept.Name, kept.Keep = "c", true
	for _, o := range []Owner{stray, kept, used, theirs} {
		require.NoError(t, k.registry.write(o))
	}
	_, _, err := k.GC(t.Context(), false)
	require.NoError(t, err)
	require.NoFileExists(t, stray.source(k.registry.dir))
	require.FileExists(t, kept.source(k.registry.dir))
	_, _, err = k.GC(t.Context(), true)
	require.NoError(t, err)
	require.NoFileExists(t, kept.source(k.registry.dir))
	require.FileExists(t, used.source(k.registry.dir))
	require.FileExists(t, theirs.source(k.registry.dir))
	marked, err := Marked(k.me)
	require.NoError(t, err)
	require.True(t, marked)
}

// FuzzMark: no source of a mount makes the reader panic, and what it reads it writes the same way.
func FuzzMark(f *testing.F) {
	o := markOf(Identity{Machine: "m", Cache: "/c"})
	f.Add(o.source("/c/clusters"))
	f.Add("/c/clusters/a.json")
	f.Add("/x/" + markDir + "/" + base64.RawURLEncoding.EncodeToString([]byte(`{"version":2}`)))
	f.Fuzz(func(t *testing.T, source string) {
		o, err := parseSource(source)
		if err != nil {
			return
		}
		again, err := parseSource(o.source("/other"))
		require.NoError(t, err)
		require.Equal(t, o.text(), again.text())
	})
}
