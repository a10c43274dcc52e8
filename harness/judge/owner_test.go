package judge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
)

// watched is good on a machine that somebody watched, and that was fine: of 8 CPUs one is in use,
// 0.6 of it in the node, and memory is left.
func watched() *result.Result {
	r := good()
	t := &r.Topologies[0]
	r.Run.Host = result.Host{CPUs: 8, UsableCPUs: 8}
	t.Load.Actual = result.Distribution{Count: 20_000, Mean: 3, Max: 25}
	t.Load.Generator.InitialVUs = 200
	t.Resources[0].MemoryLimit, t.Resources[0].Role = 1000, "active"
	t.Host, t.Own = &result.ResourceSeries{Component: "host"}, &result.ResourceSeries{Component: "steamer"}
	node := result.ResourceSeries{Component: "node"}
	for i := range 111 {
		at := t.Load.Start.Add(time.Duration(i) * time.Second)
		t.Host.Samples = append(t.Host.Samples, result.ResourceSample{At: at, CPUCores: 1, AvailableMiB: 8000})
		t.Own.Samples = append(t.Own.Samples, result.ResourceSample{At: at, CPUCores: 0.1})
		node.Samples = append(node.Samples, result.ResourceSample{At: at, CPUCores: 0.6})
		t.Load.Generator.Samples = append(t.Load.Generator.Samples, result.GeneratorSample{At: at, CPUCores: 0.1})
		t.Resources[0].Samples[i].Active = true
	}
	t.Nodes = []result.ResourceSeries{node}
	return r
}

// change is one true thing about a run.
type change func(*result.Result)

func all(changes ...change) change {
	return func(r *result.Result) {
		for _, c := range changes {
			c(r)
		}
	}
}

func ofLoad(f func(*result.Load)) change { return func(r *result.Result) { f(r.Topologies[0].Load) } }

// host changes the machine's samples between two seconds of the load.
func host(from, to int, f func(*result.ResourceSample)) change {
	return func(r *result.Result) {
		s := r.Topologies[0].Host.Samples
		for i := from; i < to && i < len(s); i++ {
			f(&s[i])
		}
	}
}

func happened(second int, e result.Event) change {
	return func(r *result.Result) {
		t := &r.Topologies[0]
		e.At = t.Load.Start.Add(time.Duration(second) * time.Second)
		if e.Detail == "" {
			e.Detail = fmt.Sprintf("%s %s (%s, exit code %d)", e.Name, e.Kind, e.Reason, e.ExitCode)
		}
		t.Events = append(t.Events, e)
	}
}

func crowd(from, to int) change {
	return host(from, to, func(s *result.ResourceSample) { s.CPUCores = 7 })
}

// TestOwners is the table of docs/verdict.md: whose a missed condition is, and what it proves.
func TestOwners(t *testing.T) {
	t.Parallel()
	const machine, subject = result.OwnerMachine, result.OwnerSubject
	container := "openbao-0/openbao-server"
	restart := func(reason string, code int) result.Event {
		return result.Event{Kind: "restart", Component: "openbao", Name: container, Reason: reason, ExitCode: code}
	}
	lost := func(reason, message string) result.Event {
		return result.Event{Kind: "replacement", Component: "openbao", Name: "openbao-0", Reason: reason, Message: message}
	}
	oom, panicked := restart("OOMKilled", 137), restart("Error", 2)
	of := func(component string, e result.Event) result.Event {
		e.Component = component
		return e
	}
	everywhere := crowd(0, 111)
	unwatched := func(r *result.Result) { t := &r.Topologies[0]; t.Host, t.Nodes, t.Own = nil, nil, nil }
	drops := ofLoad(func(l *result.Load) { l.Dropped = 3 })
	slowServer := ofLoad(func(l *result.Load) { l.Actual.Max = 1500 })
	drained := ofLoad(func(l *result.Load) { // 94 % carried, and the rest afterwards
		for i := 10; i < 111; i++ {
			l.Series[i].Fetches = 188
		}
		for i := range 6 {
			l.Series = append(l.Series, result.Interval{
				Offset: float64(111 + i), Phase: "measure", Fetches: 188, P50: 3,
				P99: 8,
			})
		}
	})
	rising := ofLoad(func(l *result.Load) {
		for i := range l.Series {
			l.Series[i].P50 = 6 + 0.05*float64(i)
		}
	})
	stepTo := func(ms float64) change {
		return ofLoad(func(l *result.Load) {
			for i := 60; i < len(l.Series); i++ {
				l.Series[i].P50 = ms
			}
		})
	}
	stood := result.Event{Kind: "database", Detail: "OpenBao's database stood still for 58 s"}
	leads := result.Event{Kind: "leadership", Detail: "b leads after a"}
	for name, tc := range map[string]struct {
		change
		id      string
		verdict result.Verdict
		owner   string
		reason  string
	}{
		// The machine's.
		"a partial load": {
			ofLoad(func(l *result.Load) { l.Partial = "k6 was killed" }), "valid/complete",
			result.Inconclusive, machine, "k6 was killed",
		},
		"a saturated generator": {
			ofLoad(func(l *result.Load) { l.Generator.CPUShare = 0.6 }), "valid/generator-cpu",
			result.Inconclusive, machine, "k6 used 60 %",
		},
		"a throttled job": {func(r *result.Result) {
			s := r.Topologies[0].Own.Samples
			for i := range s {
				s[i].Throttled = 0.5
			}
		}, "valid/steamer-throttling", result.Inconclusive, machine, "throttled in 50 %"},
		"a machine at a halt": {func(r *result.Result) {
			h := r.Topologies[0].Host
			h.Samples = append(h.Samples[:50:50], h.Samples[58:]...)
		}, "valid/host-stalled", result.Inconclusive, machine, "stood still for 9 s"},
		"strangers": {everywhere, "valid/host-crowded", result.Inconclusive, machine, "in 10 of 10 spans"},
		"nobody watched": {
			func(r *result.Result) { r.Topologies[0].Resources = nil }, "valid/observed", result.Inconclusive,
			machine, "not watched throughout",
		},
		"only the standby": {func(r *result.Result) {
			top := &r.Topologies[0]
			standby := good().Topologies[0].Resources[0]
			standby.Name, standby.Role = "openbao-1/openbao-server", "standby"
			top.Resources[0].Samples = top.Resources[0].Samples[:40]
			top.Resources = append(top.Resources, standby)
		}, "valid/observed", result.Inconclusive, machine, "not watched throughout"},
		"fetches never started": {
			ofLoad(func(l *result.Load) { l.AchievedRate = 190; l.Fetches = 19_000 }),
			"valid/achieved-rate", result.Inconclusive, machine, "190 of 200 fetches/s",
		},
		"a small, full host": {all(func(r *result.Result) { r.Run.Host = result.Host{CPUs: 2, UsableCPUs: 2} },
			host(0, 111, func(s *result.ResourceSample) { s.CPUCores = 1.8 }), func(r *result.Result) {
				n := r.Topologies[0].Nodes[0].Samples
				for i := range n {
					n[i].CPUCores = 1.6
				}
			}), "valid/host-size", result.Inconclusive, machine, "full in 100 % of the time"},
		"a small, idle host": {
			func(r *result.Result) { r.Run.Host = result.Host{CPUs: 2, UsableCPUs: 2} },
			"valid/host-size", result.Pass, machine, "",
		},
		"a part of a large host": {
			func(r *result.Result) { r.Run.Host = result.Host{CPUs: 64, UsableCPUs: 8} },
			"valid/host-crowded", result.Pass, machine, "",
		},
		// Dropped arrivals.
		"k6 owes drops": {
			drops, "valid/dropped-iterations", result.Inconclusive, machine,
			"k6 owes them: its 200 VUs last for 1000 ms, and no request took more than 25 ms",
		},
		"the server owes drops": {
			all(drops, slowServer), "valid/dropped-iterations", result.Inconclusive, subject,
			"a request took up to 1500 ms",
		},
		"requests that never ended": {
			all(drops, ofLoad(func(l *result.Load) { l.Extra["interrupted"] = 1 })),
			"valid/dropped-iterations", result.Inconclusive, subject, "the server held the VUs",
		},
		"drops beside strangers": {
			all(drops, slowServer, everywhere), "valid/dropped-iterations", result.Inconclusive,
			machine, "other processes used",
		},
		"drops of an older record": {
			all(drops, ofLoad(func(l *result.Load) { l.Generator.InitialVUs = 0 })),
			"valid/dropped-iterations", result.Inconclusive, subject, "the server held the VUs",
		},
		"cut off": {
			ofLoad(func(l *result.Load) { l.Extra["interrupted"] = 2 }),
			"valid/interrupted-fetches", result.Inconclusive, subject, "2 fetches were still running",
		},
		"cut off beside strangers": {
			all(everywhere, ofLoad(func(l *result.Load) { l.Extra["interrupted"] = 2 })),
			"valid/interrupted-fetches", result.Inconclusive, machine, "other processes",
		},
		"drain": {
			drained, "valid/drain", result.Inconclusive, subject,
			"1128 fetches were answered only in the 6 s after the load had ended",
		},
		"drain beside strangers": {
			all(drained, everywhere), "valid/drain", result.Inconclusive, machine,
			"other processes",
		},
		"less carried than offered": {
			drained, "valid/achieved-rate", result.Inconclusive, subject,
			"189 of 200 fetches/s were completed in time",
		},
		"less for k6's dropped ones": {all(ofLoad(func(l *result.Load) {
			l.Dropped, l.Fetches, l.AchievedRate = 1000, 19_000,
				190
		})), "valid/achieved-rate", result.Inconclusive, machine, "190 of 200"},
		"less for the server's": {
			all(slowServer,
				ofLoad(func(l *result.Load) { l.Dropped, l.Fetches, l.AchievedRate = 1000, 19_000, 190 })), "valid/achieved-rate",
			result.Inconclusive, subject, "190 of 200",
		},
		// Restarts.
		"out of its own memory": {
			happened(50, oom), "valid/restart", result.Fail, subject,
			"exceeded its own memory limit",
		},
		"PostgreSQL out of its memory": {
			all(happened(50, of("postgresql", oom))), "valid/restart", result.Fail, subject,
			"exceeded its own memory limit",
		},
		"out of the machine's memory": {
			all(happened(50, oom),
				host(30, 50, func(s *result.ResourceSample) { s.AvailableMiB = 500 })), "valid/restart", result.Inconclusive,
			machine, "too little memory left",
		},
		"memory was not watched": {
			all(happened(50, oom),
				host(0, 111, func(s *result.ResourceSample) { s.AvailableMiB = 0 })), "valid/restart", result.Inconclusive, subject,
			"OOMKilled",
		},
		"no limit, so whose memory?": {
			all(happened(50, oom),
				func(r *result.Result) { r.Topologies[0].Resources[0].MemoryLimit = 0 }), "valid/restart", result.Inconclusive,
			subject, "OOMKilled",
		},
		"OOM killed beside strangers": {
			all(happened(50, oom), everywhere), "valid/restart", result.Inconclusive,
			subject, "other processes",
		},
		"OOM killed on a strange machine": {
			all(happened(50, oom), unwatched), "valid/restart", result.Inconclusive, subject,
			"OOMKilled",
		},
		"an older record": {
			happened(50,
				result.Event{Kind: "restart", Detail: "n/a/openbao restarted (OOMKilled, exit code 137)"}), "valid/restart",
			result.Inconclusive, subject, "OOMKilled",
		},
		"a panic": {
			happened(50, panicked), "valid/restart", result.Fail, subject,
			"it crashed, and the machine was fine",
		},
		"a segmentation fault": {
			happened(50, of("postgresql", restart("Error", 139))), "valid/restart",
			result.Fail, subject, "it crashed",
		},
		"a panic for want of memory": {
			all(happened(50, panicked),
				host(30, 50, func(s *result.ResourceSample) { s.AvailableMiB = 5 })), "valid/restart", result.Inconclusive, machine,
			"too little memory",
		},
		"a panic beside strangers": {
			all(happened(50, panicked), everywhere), "valid/restart", result.Inconclusive,
			subject, "other processes",
		},
		"a panic on a strange machine": {
			all(happened(50, panicked), unwatched), "valid/restart", result.Inconclusive,
			subject, "exit code 2",
		},
		"ended with an error": {
			happened(50, restart("Error", 1)), "valid/restart", result.Inconclusive, subject,
			"exit code 1",
		},
		"killed": {
			happened(50, restart("Error", 137)), "valid/restart", result.Inconclusive,
			subject, "exit code 137",
		},
		"killed beside strangers": {
			all(happened(50, restart("Error", 137)), everywhere), "valid/restart",
			result.Inconclusive, machine, "other processes",
		},
		"killed while strangers came by": {
			all(happened(50, restart("Error", 137)), crowd(47, 53)), "valid/restart",
			result.Inconclusive, machine, "of the host's CPUs at that time",
		},
		"a sidecar": {
			happened(50, of("logger", panicked)), "valid/restart", result.Inconclusive,
			subject, "exit code 2",
		},
		"Steamer's stub": {
			happened(50, of("gitlab-stub", oom)), "valid/restart", result.Inconclusive,
			machine, "belongs to Steamer",
		},
		"the proof decides among several": {all(happened(40, of("gitlab-stub", oom)), happened(50, oom),
			happened(60, restart("Error", 1))), "valid/restart", result.Fail, subject, "exceeded its own memory limit"},
		"a doubt decides over the machine": {
			all(happened(40, of("gitlab-stub", oom)), happened(60, restart("Error", 1))),
			"valid/restart", result.Inconclusive, subject, "exit code 1",
		},
		"the node's OOM killer": {
			happened(50, result.Event{
				Kind:   "kubernetes",
				Detail: "Node n: SystemOOM: System OOM encountered",
			}), "valid/restart", result.Inconclusive, machine,
			"ran out of memory",
		},
		"a warning of an OOM kill": {happened(50, result.Event{
			Kind:   "kubernetes",
			Detail: "OOMKilling postgresql-0",
		}), "valid/restart", result.Inconclusive, subject, "OOMKilling"},
		// Pods that were lost.
		"evicted for its own disk": {
			happened(50,
				lost("Evicted", `Usage of EmptyDir volume "data" exceeds the limit "1Gi". `)), "valid/replacement", result.Fail,
			subject, "exceeded a limit of its own",
		},
		"evicted for its own storage": {
			happened(50,
				lost("Evicted", `Container openbao exceeded its local ephemeral storage limit "50Mi". `)), "valid/replacement",
			result.Fail, subject, "a limit of its own",
		},
		"a sidecar's pod evicted": {
			happened(50,
				of("logger", lost("Evicted", `Usage of EmptyDir volume "data" exceeds the limit "1Gi". `))), "valid/replacement",
			result.Inconclusive, subject, "a limit of its own",
		},
		"evicted for the node's": {
			happened(50,
				lost("Evicted", "The node was low on resource: memory. Container openbao was using 900Mi")), "valid/replacement",
			result.Inconclusive, machine, "the node or who runs the cluster",
		},
		"preempted": {
			happened(50, lost("PreemptionByScheduler", "")), "valid/replacement",
			result.Inconclusive, machine, "the node or who runs the cluster",
		},
		"deleted by someone": {
			happened(50, lost("Deleted", "")), "valid/replacement", result.Inconclusive, subject,
			"Deleted",
		},
		"the stub deleted": {
			happened(50, of("gitlab-stub", lost("Deleted", ""))), "valid/replacement",
			result.Inconclusive, machine, "belongs to Steamer",
		},
		"a new leader": {
			happened(50, leads), "valid/leadership", result.Inconclusive, subject,
			"b leads after a",
		},
		"a new leader, strangers": {
			all(happened(50, leads), everywhere), "valid/leadership", result.Inconclusive,
			machine, "other processes",
		},
		"a new leader after a halt": {all(happened(60, leads), func(r *result.Result) {
			h := r.Topologies[0].Host
			h.Samples = append(h.Samples[:40:40], h.Samples[58:]...)
		}), "valid/leadership", result.Inconclusive, machine, "stood still for 19 s"},
		"strangers at another time": {
			all(happened(90, leads), crowd(10, 14)), "valid/leadership", result.Inconclusive,
			subject, "b leads after a",
		},
		"a database at a standstill": {
			happened(50, stood), "valid/database", result.Fail, subject,
			"stood still for 58 s at +50 s (the machine was fine)",
		},
		"a standstill, strangers": {
			all(happened(50, stood), everywhere), "valid/database", result.Inconclusive, machine,
			"other processes",
		},
		"a standstill, brief stranger": {
			all(happened(50, stood), crowd(47, 53)), "valid/database", result.Inconclusive,
			machine, "of the host's CPUs at that time",
		},
		"a standstill, who knows": {
			all(happened(50, stood), unwatched), "valid/database", result.Inconclusive, subject,
			"stood still",
		},
		"a database out of sight": {func(r *result.Result) {
			t := &r.Topologies[0]
			t.Database = &result.DatabaseUse{}
			for i := range 111 {
				if i < 50 || i > 62 {
					t.Database.Samples = append(t.Database.Samples,
						result.DatabaseSample{At: t.Load.Start.Add(time.Duration(i) * time.Second), Statements: 400})
				}
			}
			for i := 52; i < 60; i++ {
				t.Load.Series[i].Failed = t.Load.Series[i].Fetches
			}
		}, "valid/database", result.Inconclusive, subject, "nobody saw OpenBao's database for 14 s"},
		// One latency.
		"trend":                  {rising, "valid/trend", result.Inconclusive, subject, "the p50 went from 6"},
		"trend beside strangers": {all(rising, everywhere), "valid/trend", result.Inconclusive, machine, "other processes"},
		"a step up":              {stepTo(9), "valid/steady", result.Inconclusive, subject, "the median moved"},
		"a step up, strangers": {
			all(stepTo(9), everywhere), "valid/steady", result.Inconclusive, machine,
			"other processes",
		},
		"a step down": {all(ofLoad(func(l *result.Load) {
			for i := range 60 {
				l.Series[i].P50 = 9
			}
		})), "valid/steady", result.Inconclusive, machine, "the median moved from 9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := watched()
			if tc.change != nil {
				tc.change(r)
			}
			p := judge.Policy{SLO: slos(t, sloFile), Validity: judge.DefaultValidity(), Expect: judge.Expect{Load: true}}
			judge.Judge(r, p)
			found := false
			for _, c := range r.Topologies[0].Checks {
				if c.Kind == "validity" && c.Verdict != result.Pass {
					require.NotEmpty(t, c.Owner, c.ID)
				}
				require.False(t, c.Verdict == result.Fail && c.Owner == result.OwnerMachine,
					"a machine's trouble is never a FAIL: %s", c.ID)
				if c.ID != tc.id {
					continue
				}
				found = true
				require.Equal(t, tc.verdict, c.Verdict, c.Reason)
				require.Equal(t, tc.owner, c.Owner, c.Reason)
				require.Contains(t, c.Reason, tc.reason)
				if c.Verdict == result.Fail {
					require.Equal(t, result.Fail, r.Verdict)
				}
				if c.Verdict == result.Inconclusive && !c.Informational {
					require.NotEqual(t, result.Pass, r.Verdict)
				}
			}
			require.True(t, found, "no check %s", tc.id)
		})
	}
}

// TestWatchedIsGood: without a change all conditions hold, so that each of the cases above is due
// to its change.
func TestWatchedIsGood(t *testing.T) {
	t.Parallel()
	r := watched()
	judge.Judge(r, judge.Policy{
		SLO: slos(t, sloFile), Validity: judge.DefaultValidity(),
		Expect: judge.Expect{Load: true},
	})
	require.Equal(t, result.Pass, r.Verdict, "%q", r.Reasons)
	for _, c := range r.Topologies[0].Checks {
		require.Equal(t, result.Pass, c.Verdict, "%s: %s", c.ID, c.Reason)
	}
}

// TestExcuses: a missed latency limit is INCONCLUSIVE, and the machine's, only where the machine
// may have caused it.
func TestExcuses(t *testing.T) {
	t.Parallel()
	slow := replace(slower(0.2, 21))
	small := func(r *result.Result) { r.Run.Host = result.Host{CPUs: 2, UsableCPUs: 2} }
	// the chart writes so much of a log that the runtime and the journal are busy: all of it in the
	// node
	log := func(r *result.Result) {
		top := &r.Topologies[0]
		for i := range top.Host.Samples {
			top.Host.Samples[i].CPUCores, top.Nodes[0].Samples[i].CPUCores = 7, 6.6
		}
	}
	for name, tc := range map[string]struct {
		change
		want result.Verdict
	}{
		"a fine machine":            {nil, result.Fail},
		"a small host that is idle": {small, result.Fail},
		"a small host that is full": {all(small, host(0, 111, func(s *result.ResourceSample) { s.CPUCores = 1.8 }),
			func(r *result.Result) {
				n := r.Topologies[0].Nodes[0].Samples
				for i := range n {
					n[i].CPUCores = 1.6
				}
			}), result.Inconclusive},
		"strangers":                   {crowd(0, 111), result.Inconclusive},
		"a chart that drives the log": {log, result.Fail},
		"a job of few CPUs": {func(r *result.Result) {
			s := r.Topologies[0].Own.Samples
			for i := range s {
				s[i].Throttled = 0.5
			}
		}, result.Inconclusive},
		"strangers beside a quota": {all(crowd(0, 111),
			func(r *result.Result) { r.Run.Host = result.Host{CPUs: 64, UsableCPUs: 8} }), result.Fail},
		"a halt of the machine": {func(r *result.Result) {
			h := r.Topologies[0].Host
			h.Samples = append(h.Samples[:50:50], h.Samples[58:]...)
		}, result.Inconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := watched()
			slow(r)
			if tc.change != nil {
				tc.change(r)
			}
			judge.Judge(r, judge.Policy{
				SLO: slos(t, sloFile), Validity: judge.DefaultValidity(),
				Expect: judge.Expect{Load: true},
			})
			require.Equal(t, tc.want, r.Verdict, "%q", r.Reasons)
			for _, c := range r.Topologies[0].Checks {
				if c.ID == "slo/fetch-p90-ms" {
					require.Equal(t, tc.want == result.Inconclusive, c.Owner == result.OwnerMachine)
				}
			}
		})
	}
}

// TestMissingIsNotZero: what was not sampled is no good news for an objective that judges it.
func TestMissingIsNotZero(t *testing.T) {
	t.Parallel()
	for _, metric := range []string{
		"openbao_cpu_ms_per_fetch", "openbao_throttled_ratio", "openbao_cpu_of_request",
		"openbao_memory_of_limit", "openbao_memory_mib",
	} {
		for name, change := range map[string]change{
			"a standby without samples": func(r *result.Result) {
				standby := result.ResourceSeries{
					Component: "openbao", Name: "openbao-1/openbao-server", CPURequest: 1,
					MemoryLimit: 1000,
				}
				r.Topologies[0].Resources = append(r.Topologies[0].Resources, standby)
			},
			"samples of the warm-up only": func(r *result.Result) {
				s := &r.Topologies[0].Resources[0]
				s.Samples = s.Samples[:8]
			},
		} {
			r := watched()
			r.Topologies[0].Resources[0].CPURequest = 1
			got, err := judge.Read(metric, &r.Topologies[0])
			require.NoError(t, err)
			require.Empty(t, got.Missing, metric)
			change(r)
			got, err = judge.Read(metric, &r.Topologies[0])
			require.NoError(t, err)
			require.NotEmpty(t, got.Missing, "%s, %s", metric, name)
		}
	}
}
