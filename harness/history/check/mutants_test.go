package check_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/history/historytest"
	"gitlab.com/steamer/steamer/harness/result"
)

// mutant is a defect that a server could have, as it shows in a history.
type mutant struct {
	id     string
	rule   string // which has to catch it
	what   string // a part of the violation's text
	base   func(seed uint64) *historytest.History
	mutate func(*edit) bool // false where this history has no place for it
}

// secrets is a history of secrets without removals, deletes or lost answers.
func secrets(seed uint64) *historytest.History {
	return historytest.Generate(historytest.Options{Seed: seed, Clients: 4, Keys: 3, Ops: 150, Keep: 5})
}

// lossy also has lost answers, faults and audit records.
func lossy(seed uint64) *historytest.History {
	return historytest.Generate(historytest.Options{
		Seed: seed, Clients: 4, Keys: 3, Ops: 150, Keep: 5, Unknown: 0.05, Versions: 0.1, Faults: 2, Audit: true,
	})
}

// removed also has secrets that are removed with all versions, by one client: its operations are
// one after the other.
func removed(seed uint64) *historytest.History {
	return historytest.Generate(historytest.Options{Seed: seed, Clients: 1, Keys: 1, Ops: 80, Keep: 5, Purge: 0.08})
}

// empty is a history with a little of everything that no mutant touches.
func empty(seed uint64) *historytest.History {
	return historytest.Generate(historytest.Options{Seed: seed, Clients: 1, Keys: 1, Ops: 4})
}

// TestMutantsAreCaught: each defect is found by its rule, in whatever history it sits, and the
// text names what happened.
func TestMutantsAreCaught(t *testing.T) {
	t.Parallel()
	all := mutants()
	require.GreaterOrEqual(t, len(all), 40)
	ids := map[string]bool{}
	for _, m := range all {
		require.False(t, ids[m.id], m.id)
		ids[m.id] = true
		t.Run(m.id, func(t *testing.T) {
			t.Parallel()
			const histories = 5
			caught := 0
			for seed := uint64(1); caught < histories; seed++ {
				require.Less(t, seed, uint64(300), "no history has a place for it")
				h := m.base(seed)
				require.NotEqual(t, result.Fail, judged(t, h.Bytes()).Verdict, "seed %d is not valid before", seed)
				if !m.mutate(newEdit(h)) {
					continue
				}
				report := judged(t, h.Bytes())
				var text bytes.Buffer
				require.NoError(t, check.Text(&text, report))
				require.Equal(t, result.Fail, report.Verdict, "seed %d\n%s", seed, &text)
				require.Positive(t, report.Rules[m.rule], "seed %d\n%s", seed, &text)
				require.Contains(t, text.String(), m.what, "seed %d", seed)
				caught++
			}
		})
	}
}

// TestLateGrantsProveNothing: after a grant that came too late the right answer is a refusal, which
// is no violation of its own.
func TestLateGrantsProveNothing(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"t1/token:9", "t1/token:9"}, {"t1/role:9", "t1/role:9,t1/key:9"}} {
		h := empty(1)
		newEdit(h).then(
			access(history.Grant, "t1/key:9", history.OK), access(history.Grant, names[0], history.OK),
			access(history.Revoke, names[0], history.OK),
			access(history.Use, names[1], history.OK), access(history.Use, names[1], history.Refused))
		report := judged(t, h.Bytes())
		require.Equal(t, map[string]int{"S2": 1}, report.Rules, names)
	}
}

// TestEveryRuleHasAMutant: a rule that nothing can break protects nothing.
func TestEveryRuleHasAMutant(t *testing.T) {
	t.Parallel()
	broken := map[string]bool{}
	for _, m := range mutants() {
		broken[m.rule] = true
	}
	for _, rule := range check.Rules() {
		require.True(t, broken[rule.ID], rule.ID)
		delete(broken, rule.ID)
	}
	require.Empty(t, broken, "a rule that is not listed")
}

func mutants() []mutant {
	var all []mutant
	all = append(all, lostAndStale()...)
	all = append(all, wrongValues()...)
	all = append(all, statesOfVersions()...)
	all = append(all, losses()...)
	all = append(all, unordered()...)
	all = append(all, accessMutants()...)
	return append(all, serverMutants()...)
}

// latestRead is the read at the end of some secret with enough versions.
func (e *edit) latestRead(least int) *history.Op {
	return e.one(func(o *history.Op) bool {
		return e.final(o) && o.Kind == history.Read && !o.Asked && o.Result == history.OK && o.Version >= least
	})
}

// versionRead is the read at the end of a version by its number.
func (e *edit) versionRead(fits func(o *history.Op) bool) *history.Op {
	return e.one(func(o *history.Op) bool {
		return e.final(o) && o.Kind == history.Read && o.Asked && o.Result == history.OK && (fits == nil || fits(o))
	})
}

// acked is an acknowledged write.
func (e *edit) acked(fits func(o *history.Op) bool) *history.Op {
	return e.one(func(o *history.Op) bool {
		return o.Kind == history.Write && o.Result == history.OK && (fits == nil || fits(o))
	})
}

func lostAndStale() []mutant {
	return []mutant{
		{"final-read-is-stale", "C4", "a read found version", lossy, func(e *edit) bool {
			r := e.latestRead(2)
			made := func(n int) *history.Op {
				return e.acked(func(w *history.Op) bool { return w.Key == r.Key && w.Version == n })
			}
			return r != nil && made(r.Version) != nil && e.becomes(r, made(r.Version-1))
		}},
		{"read-is-stale", "C4", "a read found version", secrets, func(e *edit) bool {
			r := e.one(func(o *history.Op) bool {
				return o.Kind == history.Read && !o.Asked && o.Result == history.OK && o.Version > 1 &&
					e.acked(func(w *history.Op) bool {
						return w.Key == o.Key && w.Version == o.Version && w.Return < o.Call
					}) != nil
			})
			return r != nil && e.becomes(r, e.acked(func(w *history.Op) bool {
				return w.Key == r.Key && w.Version == r.Version-1
			}))
		}},
		{"own-write-not-read", "C4", "by its own client (S7)", secrets, func(e *edit) bool {
			w := e.acked(func(o *history.Op) bool { return e.final(o) })
			old := e.latestRead(1)
			if w != nil || old == nil {
				return false
			}
			e.then(write(old.Key, 1, old.Version+1), read(old.Key, 0, old.Version, old.Value))
			return true
		}},
		{"all-versions-lost", "C5", "a read found nothing", lossy, func(e *edit) bool {
			return e.absent(e.latestRead(1))
		}},
		{"version-lost", "C5", "is not there", lossy, func(e *edit) bool {
			return e.absent(e.versionRead(nil))
		}},
		{"version-dropped-too-early", "C5", "is not there", secrets, func(e *edit) bool {
			r := e.latestRead(6)
			return r != nil && e.absent(e.versionRead(func(o *history.Op) bool {
				return o.Key == r.Key && o.Version == r.Version-4
			}))
		}},
		{"old-version-not-dropped", "C5", "is still there", secrets, func(e *edit) bool {
			r := e.latestRead(7)
			if r == nil {
				return false
			}
			w := e.acked(func(o *history.Op) bool { return o.Key == r.Key && o.Version == r.Version-5 })
			if w == nil {
				return false
			}
			e.then(read(r.Key, w.Version, w.Version, w.Value))
			return true
		}},
		{"read-is-ahead", "C4", "writes had begun", secrets, func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			gone := read(r.Key, 200, 200, history.Value{})
			gone.Result = history.Deleted
			e.then(gone)
			return true
		}},
		{"two-writes-one-version", "C1", "two writes are acknowledged", lossy, func(e *edit) bool {
			w := e.acked(func(o *history.Op) bool { return o.Version > 1 && o.CAS == history.NoCAS })
			if w == nil {
				return false
			}
			w.Version--
			return e.acked(func(o *history.Op) bool { return o != w && o.Key == w.Key && o.Version == w.Version }) != nil
		}},
		{"check-and-set-ignored", "C1", "a write that expects", lossy, func(e *edit) bool {
			w := e.acked(func(o *history.Op) bool { return o.CAS > 0 })
			if w == nil {
				return false
			}
			w.CAS--
			return true
		}},
		{"check-and-set-refused-wrongly", "C1", "was refused while", lossy, func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			w := write(r.Key, 1, 0)
			w.CAS, w.Result = r.Version, history.Mismatch
			e.then(w)
			return e.quiet(r.Key)
		}},
		{"versions-against-time", "C3", "after version", secrets, func(e *edit) bool {
			var second *history.Op
			first := e.acked(func(a *history.Op) bool {
				second = e.acked(func(b *history.Op) bool {
					return b.Key == a.Key && b.CAS == history.NoCAS && b.Version == a.Version+1 && a.Return < b.Call
				})
				return second != nil && a.CAS == history.NoCAS
			})
			if first == nil {
				return false
			}
			first.Version, second.Version = second.Version, first.Version
			return true
		}},
		{"version-skipped", "C6", "nothing can have written", secrets, func(e *edit) bool {
			r := e.latestRead(3)
			if r == nil {
				return false
			}
			e.drop(func(o *history.Op) bool { return o.Kind != history.Read && o.Key == r.Key && o.Version == r.Version-1 })
			e.drop(func(o *history.Op) bool { return o.Kind == history.Read && o.Key == r.Key && o.Version == r.Version-1 })
			late := write(r.Key, 2, 0)
			late.Result, late.Version = history.Unknown, 0
			e.then(late)
			return true
		}},
		{"numbers-jump", "C6", "writes had begun", secrets, func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			e.then(write(r.Key, 1, r.Version+500))
			return true
		}},
	}
}

func wrongValues() []mutant {
	foreign := func(value string) func(*edit) bool {
		return func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			r.Value = history.Value{Foreign: value}
			return true
		}
	}
	return []mutant{
		{"other-tenant", "S10", "another tenant", lossy, foreign("t9/k1/1.1")},
		{"other-secret", "C2", "never written there", lossy, func(e *edit) bool {
			r := e.latestRead(1)
			return r != nil && foreign(history.Tenant(r.Key)+"/k99/1.1")(&edit{History: e.History, only: r})
		}},
		{"garbage", "C2", "never written there", lossy, foreign("sha256:0123456789abcdef")},
		{"never-written", "C2", "was never written", lossy, func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			r.Value.Counter += 1000
			return true
		}},
		{"refused-write-landed", "C2", "that was refused", secrets, func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			w := write(r.Key, 1, 0)
			w.CAS, w.Result = 0, history.Mismatch
			e.then(w, read(r.Key, 0, r.Version, w.Value))
			return true
		}},
		{"failed-write-landed", "C2", "that was refused", secrets, func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			w := write(r.Key, 1, 0)
			w.Result = history.Failed
			e.then(w, read(r.Key, 0, r.Version+1, w.Value))
			return true
		}},
		{"read-before-write", "C2", "before it was written", secrets, func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			w := write(r.Key, 1, r.Version+1)
			e.then(read(r.Key, 0, r.Version+1, w.Value), w)
			return true
		}},
		{"values-swapped", "C2", "was found as version", secrets, func(e *edit) bool {
			a := e.versionRead(nil)
			if a == nil {
				return false
			}
			b := e.versionRead(func(o *history.Op) bool { return o.Key == a.Key && o.Version != a.Version })
			if b == nil {
				return false
			}
			a.Value, b.Value = b.Value, a.Value
			return true
		}},
		{"written-twice", "C2", "was found as version", lossy, func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			w := write(r.Key, 1, 0)
			w.Result, w.Version = history.Unknown, 0
			again := write(r.Key, 2, 0)
			again.Result, again.Version = history.Unknown, 0
			e.then(w, again, read(r.Key, 0, r.Version+1, w.Value), read(r.Key, 0, r.Version+2, w.Value))
			return true
		}},
		{"acknowledged-version-is-anothers", "C2", "has the values of two writes", secrets, func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			lost := write(r.Key, 1, 0)
			lost.Result, lost.Version = history.Unknown, 0
			e.then(lost, write(r.Key, 2, r.Version+1), read(r.Key, 0, r.Version+1, lost.Value))
			return true
		}},
		{"late-write-ignores-check-and-set", "C1", "made version", secrets, func(e *edit) bool {
			r := e.latestRead(1)
			if r == nil {
				return false
			}
			late := write(r.Key, 1, 0)
			late.Result, late.Version, late.CAS = history.Unknown, 0, r.Version
			e.then(late, write(r.Key, 2, r.Version+1), read(r.Key, 0, r.Version+2, late.Value))
			return true
		}},
	}
}
