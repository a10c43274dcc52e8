package loadtest

import (
	"io"

	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// Parse reads a whole interval log.
func Parse(log io.Reader, p load.Plan) (*result.Load, error) {
	r := load.Recorder{Thresholds: p.Thresholds}
	if _, err := io.Copy(&r, log); err != nil {
		return nil, err
	}
	return r.Finish(p)
}

// To is a create for merged.Merge that writes the merged log to w, which stays open.
func To(w io.Writer) func(*result.Result) (io.WriteCloser, error) {
	return func(*result.Result) (io.WriteCloser, error) { return open{w}, nil }
}

type open struct{ io.Writer }

func (open) Close() error { return nil }
