package loadtest

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// NoToken fails where text has a part of a JWT of the fixture's document, in any common encoding.
// The document's own tokens are looked for, since base64 of a histogram has every short pattern at
// times.
func NoToken(t testing.TB, document []byte, text string) {
	t.Helper()
	tokens := regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`).FindAllString(string(document), -1)
	require.NotEmpty(t, tokens, "the document has tokens")
	for _, token := range tokens {
		for part := range strings.SplitSeq(token, ".") {
			for _, encoded := range secret.Encodings(part) {
				require.NotContains(t, text, encoded)
			}
		}
	}
}

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
