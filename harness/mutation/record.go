package mutation

import (
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
)

// RecordKind is the value of Record.Kind.
const RecordKind = "Mutants"

// recordVersion is the version of the Record schema.
const recordVersion = "steamer/v1"

// Record is what became of the mutants that were tried, for tools.
type Record struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Steamer    string    `json:"steamer"` // version and commit
	Finished   time.Time `json:"finished"`
	Sample     *Sample   `json:"sample,omitempty"` // nil: every mutant that was chosen by other means was tried
	Outcomes   []Outcome `json:"outcomes"`
}

var codec = document.Codec[Record]{
	APIVersion: recordVersion, Kind: RecordKind, Hint: "use what steamer mutants --json wrote", Check: (*Record).validate,
}

// Encode renders outcomes as a Record; sample says how the mutants were chosen, nil for all.
func Encode(steamer string, finished time.Time, sample *Sample, list []Outcome) ([]byte, error) {
	return codec.Encode(&Record{recordVersion, RecordKind, steamer, finished.UTC(), sample, list})
}

// Decode reads what Encode wrote; name is used in errors, which are of code exit.Invalid.
func Decode(name string, data []byte) (*Record, error) { return codec.Decode(name, data) }

func (r *Record) validate() error {
	if len(r.Outcomes) == 0 {
		return fmt.Errorf("it holds no outcome")
	}
	for _, o := range r.Outcomes {
		switch {
		case o.Mutant.ID == "":
			return fmt.Errorf("an outcome names no mutant")
		case o.Status == Killed && o.By == "":
			return fmt.Errorf("mutant %s: killed, and by no scenario", o.Mutant.ID)
		case o.Status != Killed && o.Status != Survived && o.Status != Explained && o.Status != Broken &&
			o.Status != Skipped:
			return fmt.Errorf("mutant %s: unknown status %q", o.Mutant.ID, o.Status)
		}
	}
	return nil
}

// Summary is one line about all outcomes.
func Summary(list []Outcome) string {
	total, n := 0.0, map[Status]int{}
	for _, o := range list {
		total += o.Seconds
		n[o.Status]++
	}
	skipped := ""
	if n[Skipped] > 0 {
		skipped = fmt.Sprintf("%d skipped, ", n[Skipped])
	}
	return fmt.Sprintf("%d mutants: %d killed, %d survived, %d explained, %s%d broken, in %.0f s",
		len(list), n[Killed], n[Survived], n[Explained], skipped, n[Broken], total)
}
