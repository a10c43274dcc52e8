// Command timings prints how long the steps of finished runs took beside their targets:
//
//	go run ./hack/timings runs/*/result.json
package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"gitlab.com/steamer/steamer/harness/result"
)

// target is a limit in seconds on a 2-core machine, kept in docs/benchmarks.md.
type target struct {
	what    string
	seconds float64
	of      func(*result.Result) float64
}

func targets() []target {
	return []target{
		{"whole run", 20 * 60, func(r *result.Result) float64 { return r.Run.Finished.Sub(r.Run.Started).Seconds() }},
		{"images", 14 * 60, step("images")},
		{"cluster to Ready, images loaded", 40, step("cluster")},
		{"run without images", 6 * 60, func(r *result.Result) float64 {
			return r.Run.Finished.Sub(r.Run.Started).Seconds() - step("images")(r)
		}},
	}
}

// step adds up the steps of a name over all topologies.
func step(name string) func(*result.Result) float64 {
	return func(r *result.Result) float64 {
		total := 0.0
		for _, s := range r.Steps {
			if s.Name == name {
				total += s.Seconds
			}
		}
		return total
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: timings RESULT.json...")
		os.Exit(3)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "run\twhat\tseconds\ttarget\tof the target\t")
	for _, path := range os.Args[1:] {
		r, err := result.ReadFile(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, "timings:", err)
			os.Exit(3)
		}
		for _, t := range targets() {
			seconds := t.of(r)
			fmt.Fprintf(w, "%s\t%s\t%.1f\t%.0f\t%.2f\t\n", r.Run.ID, t.what, seconds, t.seconds, seconds/t.seconds)
		}
		for i := range r.Topologies {
			if l := r.Topologies[i].Load; l != nil {
				fmt.Fprintf(w, "%s\tk6 MiB, %s\t%.0f\t300\t%.2f\t\n", r.Run.ID, r.Topologies[i].Name, l.Generator.MaxRSSMiB,
					l.Generator.MaxRSSMiB/300)
			}
		}
	}
	_ = w.Flush() // standard output: there is no one to tell
}
