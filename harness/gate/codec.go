package gate

import (
	"errors"
	"fmt"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/result"
)

var codec = document.Codec[Decision]{
	APIVersion: APIVersion, Kind: Kind, Hint: "use the gate.json of a decision", Check: (*Decision).check,
}

// Encode renders a decision as indented JSON.
func Encode(d *Decision) ([]byte, error) { return codec.Encode(d) }

// Decode reads what Encode wrote; name is used in errors, which are of code exit.Invalid.
func Decode(name string, data []byte) (*Decision, error) { return codec.Decode(name, data) }

func (d *Decision) check() error {
	switch {
	case d.Verdict != result.Pass && d.Verdict != result.Fail && d.Verdict != result.Inconclusive:
		return fmt.Errorf("unknown verdict %q", string(d.Verdict))
	case len(d.Evidence) == 0:
		return errors.New("it names no evidence")
	}
	return nil
}
