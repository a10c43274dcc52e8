package document_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gitlab.com/steamer/steamer/harness/document"
)

type doc struct {
	Name string            `json:"name"`
	Wait document.Duration `json:"wait"`
}

func TestYAML(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, wantErr string }{
		"good":             {"name: a\nwait: 1m30s\n", ""},
		"unknown field":    {"nam: a\n", `unknown field "nam"`},
		"wrong case":       {"Name: a\n", `unknown field "Name"`},
		"duplicate":        {"name: a\nname: b\n", `line 2: the key "name" occurs twice`},
		"two documents":    {"name: a\n---\nname: b\n", "more than one YAML document"},
		"empty":            {"", "empty"},
		"only a comment":   {"# nothing\n", "empty"},
		"duration no unit": {"wait: 5\n", "needs a unit"},
		"bad duration":     {"wait: soon\n", "invalid duration"},
		"not a map":        {"- a\n", "want a mapping, not a list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d doc
			err := document.YAML([]byte(tc.in), &d)
			if tc.wantErr != "" {
				require.ErrorContains(t, err, tc.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, doc{"a", document.Duration(90 * time.Second)}, d)
		})
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var d doc
	require.ErrorContains(t, document.JSON([]byte(`{"name":"a"`), &d), "not valid JSON at byte 11 of 11")
	require.ErrorContains(t, document.JSON([]byte(`{"name":"a"} {}`), &d), "not valid JSON")
	require.ErrorContains(t, document.JSON([]byte(`{"name":"a","name":"b"}`), &d), "duplicate field")
	require.ErrorContains(t, document.JSON(nil, &d), "empty")
	require.NoError(t, document.JSON([]byte(`{"name":"a","wait":"1s"}`), &d))
	out, err := json.Marshal(d)
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"a","wait":"1s"}`, string(out))
}
