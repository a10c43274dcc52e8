package gate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
)

// machine has somebody watch the machine of both topologies: host is how many of its two CPUs are
// in use, of which the node takes a fifth.
func machine(host float64) func(map[string]any) {
	return each(func(top map[string]any) {
		start, err := time.Parse(time.RFC3339, of(top, "load")["start"].(string))
		if err != nil {
			panic(err)
		}
		var machine, node []any
		for i := range 80 {
			at := start.Add(time.Duration(i) * time.Second)
			machine = append(machine, map[string]any{"at": at, "cpu": host, "mem": 0, "available": 20000})
			node = append(node, map[string]any{"at": at, "cpu": 0.2, "mem": 0})
		}
		top["host"] = map[string]any{"component": "host", "name": "all processes", "samples": machine}
		top["nodes"] = []any{map[string]any{"component": "node", "name": "n", "samples": node}}
		for _, r := range top["resources"].([]any) {
			if m := r.(map[string]any); m["component"] == "openbao" {
				m["memLimit"] = 4000
			}
		}
	})
}

// event happens to the active pod 30 s after the start of each load.
func event(e map[string]any) func(map[string]any) {
	return each(func(top map[string]any) {
		start, err := time.Parse(time.RFC3339, of(top, "load")["start"].(string))
		if err != nil {
			panic(err)
		}
		one := map[string]any{"at": start.Add(30 * time.Second), "detail": fmt.Sprint(e["kind"])}
		for k, v := range e {
			one[k] = v
		}
		for _, r := range top["resources"].([]any) {
			if m := r.(map[string]any); m["role"] == "active" {
				one["name"] = m["name"]
			}
		}
		top["events"] = []any{one}
	})
}

func together(changes ...func(map[string]any)) func(map[string]any) {
	return func(doc map[string]any) {
		for _, c := range changes {
			c(doc)
		}
	}
}

// TestNoRunRemovesAFinding: what is the machine's falls out, what is the chart's stays, whatever
// the other runs say.
func TestNoRunRemovesAFinding(t *testing.T) {
	t.Parallel()
	fine, strangers := machine(0.4), machine(1.7)
	oom := event(map[string]any{"kind": "restart", "component": "openbao", "reason": "OOMKilled", "exitCode": 137})
	takeover := event(map[string]any{"kind": "leadership", "detail": "b leads after a"})
	slow := slowed(5000)
	lighter := each(func(top map[string]any) { of(top, "load")["offered"] = 5 })
	tier := func(doc map[string]any) { of(doc, "run")["tier"] = "60" }
	type change = func(map[string]any)
	repeat := func(n int, c change) (all []change) {
		for range n {
			all = append(all, c)
		}
		return all
	}
	for name, tc := range map[string]struct {
		runs   []change
		want   result.Verdict
		reason string // part of a reason
		told   string // part of what was not judged
		doubts []int  // runs, and of how many, of each topology's one doubt
	}{
		"nine out of memory and one lucky": {
			append(repeat(9, together(fine, oom)), fine), result.Fail,
			"exceeded its own memory limit", "", nil,
		},
		"out of memory, nobody watched": {
			[]change{oom, fine, fine},
			result.Inconclusive,
			"cloud-native: 1 of 3 runs: unplanned restarts", "",
			[]int{1, 3},
		},
		"two of three take over": {
			[]change{together(fine, takeover), fine, together(fine, takeover)},
			result.Inconclusive, "cloud-native: 2 of 3 runs: unplanned changes of the active pod: run run-0: b leads after a",
			"",
			[]int{2, 3},
		},
		"every run takes over: no proof": {
			repeat(6, together(fine, takeover)), result.Inconclusive, "6 of 6 runs", "",
			[]int{6, 6},
		},
		"a takeover beside strangers": {
			[]change{together(strangers, takeover), fine},
			result.Pass, "",
			"the load of run run-0 on cloud-native: its machine made it invalid: unplanned changes of the active pod", nil,
		},
		"out of memory beside strangers": {
			[]change{together(strangers, oom), fine},
			result.Inconclusive, "1 of 2 runs", "",
			[]int{1, 2},
		},
		"slow beside strangers": {
			[]change{together(strangers, slow), fine},
			result.Pass, "",
			"the load of run run-0 on cloud-native: its machine made it invalid: mean from the intended start: 5000 ms", nil,
		},
		"only slow beside strangers": {
			[]change{together(strangers, slow)},
			result.Inconclusive,
			"5000 ms against a limit of", "its machine made it invalid", nil,
		},
		"slow on a fine machine": {[]change{together(fine, slow), fine}, result.Fail, "5000 ms", "", nil},
		"out of memory at less": {
			[]change{together(fine, oom, lighter), fine},
			result.Fail,
			"exceeded its own memory limit", "", nil,
		},
		"out of memory at another tier": {
			[]change{together(fine, oom, tier), fine},
			result.Pass, "", "it is of tier 60",
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paths := []string{checkFile}
			for i, c := range tc.runs {
				paths = append(paths, changed(t, runFile,
					together(c, func(doc map[string]any) { of(doc, "run")["id"] = fmt.Sprintf("run-%d", i) })))
			}
			evidence, err := gate.Read(paths...)
			require.NoError(t, err)
			p := policy(t)
			p.Tier = "12"
			d, err := gate.Decide(evidence, p)
			require.NoError(t, err)
			require.Equal(t, tc.want, d.Verdict, "%q", d.Reasons)
			require.Contains(t, strings.Join(d.Reasons, "\n"), tc.reason)
			require.Contains(t, strings.Join(d.NotJudged, "\n"), tc.told)
			require.Len(t, d.Doubts, len(tc.doubts), "one in each topology")
			for _, doubt := range d.Doubts {
				require.Equal(t, tc.doubts, []int{doubt.Runs, doubt.Of})
				require.Len(t, doubt.Reasons, doubt.Runs)
			}
			for _, page := range pages(t, d) {
				require.Equal(t, len(tc.doubts) > 0, strings.Contains(page, "Doubts about the chart that no other run removes"))
			}
			text, err := gate.Encode(d)
			require.NoError(t, err)
			again, err := gate.Decode("again", text)
			require.NoError(t, err)
			require.Equal(t, d.Doubts, again.Doubts)
		})
	}
}
