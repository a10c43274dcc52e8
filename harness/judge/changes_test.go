package judge_test

import (
	"fmt"
	"time"

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
