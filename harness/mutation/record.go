package mutation

import (
	"encoding/json"
	"fmt"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
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
	Outcomes   []Outcome `json:"outcomes"`
}

// Encode renders outcomes as a Record.
func Encode(steamer string, finished time.Time, list []Outcome) ([]byte, error) {
	b, err := json.MarshalIndent(Record{recordVersion, RecordKind, steamer, finished.UTC(), list}, "", " ")
	return append(b, '\n'), err
}

// Decode reads what Encode wrote; name is used in errors, which are of code exit.Invalid.
func Decode(name string, data []byte) (*Record, error) {
	r := new(Record)
	if err := document.JSON(data, r); err != nil {
		return nil, exit.Invalidf(name, "use what steamer mutants --json wrote", "not a complete record of mutants: %w", err)
	}
	if err := r.validate(); err != nil {
		return nil, exit.Invalidf(name, "use what steamer mutants --json of the same release wrote", "%w", err)
	}
	return r, nil
}

func (r *Record) validate() error {
	switch {
	case r.APIVersion != recordVersion || r.Kind != RecordKind:
		return fmt.Errorf("apiVersion %q, kind %q: want %q, %q", r.APIVersion, r.Kind, recordVersion, RecordKind)
	case len(r.Outcomes) == 0:
		return fmt.Errorf("it holds no outcome")
	}
	for _, o := range r.Outcomes {
		switch {
		case o.Mutant.ID == "":
			return fmt.Errorf("an outcome names no mutant")
		case o.Status == Killed && o.By == "":
			return fmt.Errorf("mutant %s: killed, and by no scenario", o.Mutant.ID)
		case o.Status != Killed && o.Status != Survived && o.Status != Explained && o.Status != Broken:
			return fmt.Errorf("mutant %s: unknown status %q", o.Mutant.ID, o.Status)
		}
	}
	return nil
}
