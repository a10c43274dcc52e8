package audit

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const request = `{"time":"2026-01-02T03:04:05.6Z","type":"request","request":{"operation":"read","path":"kv/data/A","namespace":{"path":"g/p/"}}}`
	for name, c := range map[string]struct {
		log, mark string
		want      []string
		err       string
	}{
		"record":     {request, "data/A", []string{"request read g/p/kv/data/A"}, ""},
		"other mark": {request, "data/B", nil, ""},
		"empty mark": {request, "", nil, ""},
		"server's own log": {
			`{"@level":"info","@message":"data/A"}` + "\nplain data/A\n" + request, "data/A",
			[]string{"request read g/p/kv/data/A"},
			"",
		},
		"refused": {
			`{"type":"response","error":"no","request":{"operation":"update","path":"x"}}`, "x",
			[]string{"response update x (no)"},
			"",
		},
		"damaged": {`{"type":"response","request":{"path":7}}`, "7", nil, "audit record"},
		"torn":    {request[:60], "type", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := parse([]byte(c.log), c.mark)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			var got []string
			for _, r := range found {
				got = append(got, r.String())
				require.Contains(t, r.Line, c.mark)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"type":"request","request":{"path":"a"}}`), "a")
	f.Fuzz(func(t *testing.T, log []byte, mark string) {
		found, err := parse(log, mark)
		if err == nil {
			for _, r := range found {
				require.Contains(t, r.Line, mark)
			}
		}
	})
}
