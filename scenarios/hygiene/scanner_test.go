package hygiene

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
)

func canaries() []canary {
	return []canary{
		{Label: "value", Secret: gitlab.Value("seed", "t", "n", 1)},
		{Label: "signature", Secret: "q8Z-planted_signature-0123456789"},
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	require.NoError(t, control(canaries()))
	require.Error(t, control(nil))
}

func TestScan(t *testing.T) {
	t.Parallel()
	value, other := canaries()[0].Secret, gitlab.Value("another seed", "t", "n", 1)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"clean":      {"nothing here, not even " + gitlab.ValuePrefix, nil},
		"empty":      {"", nil},
		"plain":      {"a " + value + " b " + value, []string{"s: value at byte 2"}},
		"base64":     {base64.StdEncoding.EncodeToString([]byte("xx" + value)), []string{"s: value at byte 3"}},
		"signature":  {canaries()[1].Secret, []string{"s: signature at byte 0"}},
		"other seed": {other, []string{"s: a seeded value of another run or seed at byte 0"}},
		"JWT": {
			"login eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4IiwiYSI6MX0." + strings.Repeat("s", 40),
			[]string{"s: a signed token at byte 6"},
		},
		"JWT without a signature": {"login eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4IiwiYSI6MX0.", nil},
		"far away":                {strings.Repeat(".", 3<<20) + value, []string{"s: value at byte 3145728"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := newScanner(canaries()).scan("s", iotest.HalfReader(strings.NewReader(c.text)))
			require.NoError(t, err)
			var got []string
			for _, f := range found {
				got = append(got, f.String())
				require.NotContains(t, f.String(), value)
			}
			require.Equal(t, c.want, got)
		})
	}
	_, err := newScanner(nil).scan("s", iotest.ErrReader(os.ErrClosed))
	require.ErrorIs(t, err, os.ErrClosed, "a source that cannot be read is not clean")
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a/b/report.html"), []byte(canaries()[0].Secret), 0o600))
	found, err := newScanner(canaries()).directory(dir)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "run directory: a/b/report.html", found[0].Source)
}
