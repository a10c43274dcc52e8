package gate

import (
	"encoding/json"
	"fmt"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Encode renders a decision as indented JSON.
func Encode(d *Decision) ([]byte, error) {
	b, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return nil, fmt.Errorf("the decision cannot be written as JSON: %w", err)
	}
	return append(b, '\n'), nil
}

// Decode reads what Encode wrote; name is used in errors, which are of code exit.Invalid.
func Decode(name string, data []byte) (*Decision, error) {
	d := new(Decision)
	if err := document.JSON(data, d); err != nil {
		return nil, exit.Invalidf(name, "use a gate.json that this release of Steamer wrote", "not a complete decision: %w",
			err)
	}
	switch {
	case d.APIVersion != APIVersion || d.Kind != Kind:
		return nil, exit.Invalidf(name, "use the Steamer release that wrote it", "apiVersion %q, kind %q: want %q, %q",
			d.APIVersion, d.Kind, APIVersion, Kind)
	case d.Verdict != result.Pass && d.Verdict != result.Fail && d.Verdict != result.Inconclusive:
		return nil, exit.Invalidf(name, "use a gate.json as Steamer wrote it, unedited", "unknown verdict %q",
			string(d.Verdict))
	case len(d.Evidence) == 0:
		return nil, exit.Invalidf(name, "use a gate.json as Steamer wrote it, unedited", "it names no evidence")
	}
	return d, nil
}
