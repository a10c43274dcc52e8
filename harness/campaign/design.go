package campaign

import (
	"fmt"
	"io"

	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/compare"
)

// printDesign prints a design and how long it may take.
func printDesign(w io.Writer, d compare.Design) error {
	data, err := yaml.Marshal(d)
	if err != nil {
		return err
	}
	// k6 takes about a second to start, for every slice or by turns once for all pairs up to an
	// interim analysis; on a cluster there is one more until pods are observed to the end.
	pair := 2 * (d.Slice + d.Warmup + d.Idle + 1)
	if d.Where != "local" {
		pair += 2
	}
	if d.Turns {
		pair = 2*(d.Slice+d.Idle) + (d.Warmup+1)/float64(max(1, min(d.InterimEvery, d.MaxPairs)))
	}
	_, err = fmt.Fprintf(w, "%s# about %.0f s a pair: first interim analysis after %.0f min, all pairs in %.0f min\n",
		data, pair, pair*float64(min(d.InterimEvery, d.MaxPairs))/60, pair*float64(d.MaxPairs)/60)
	return err
}
