package check

import (
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/result"
)

var codec = document.Codec[Report]{
	APIVersion: result.APIVersion, Kind: Kind, Hint: "use the report.json of a run of steamer faults",
}

// Encode is the report as JSON.
func Encode(r *Report) ([]byte, error) { return codec.Encode(r) }

// WriteFile writes the report to path as JSON.
func WriteFile(path string, r *Report) error { return codec.WriteFile(path, r) }
