package lint

import (
	"encoding/json"
	"errors"
	"io"

	"gitlab.com/steamer/steamer/harness/document"
)

// Kind is the value of Report.Kind.
const Kind = "ChartCheck"

var codec = document.Codec[Report]{
	APIVersion: APIVersion, Kind: Kind, Hint: "use what charts check --format json wrote", Check: (*Report).check,
}

// JSON writes a report in its versioned form.
func JSON(w io.Writer, r *Report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

// Decode reads what JSON wrote; name is used in errors, which are of code exit.Invalid. A report
// whose verdict does not follow from its findings is one.
func Decode(name string, data []byte) (*Report, error) { return codec.Decode(name, data) }

// check counts the findings again.
func (r *Report) check() error {
	var counted Counts
	for _, f := range r.Findings {
		counted.add(f)
	}
	if len(r.Rules) == 0 || counted != r.Counts || r.Passed != counted.passed(r.Strict) {
		return errors.New("its verdict does not follow from its findings")
	}
	return nil
}
