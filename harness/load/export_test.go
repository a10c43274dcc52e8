package load

import (
	"io"

	"gitlab.com/steamer/steamer/harness/result"
)

// MergeLogs merges whole logs, by name, into to. Lines that are no JSON object are left out, as a
// container's log has them. It returns what it found in each. The logs are read in step, so that
// memory does not grow with their length.
func MergeLogs(to io.Writer, names []string, logs []io.Reader) ([]result.LoadPart, error) {
	m, err := mergeLogs(to, names, logs, func(int) io.Writer { return io.Discard })
	if err != nil && !m.closed {
		return nil, err
	}
	return m.Parts(), err
}
