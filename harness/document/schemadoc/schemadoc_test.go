package schemadoc

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

type thing struct {
	Colour string   `json:"colour"`
	Parts  []string `json:"parts"`
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	d := Document{
		Of: &thing{}, File: "thing.schema.json", Title: "A thing",
		Enums: []Enum{{"thing", "colour", []any{"red", "blue"}}},
	}
	got, err := d.Generate()
	require.NoError(t, err)
	for _, want := range []string{"docs/reference/thing.schema.json", `"title": "A thing"`, `"blue"`, `"type": "null"`} {
		require.Contains(t, string(got), want)
	}
	for want, stale := range map[string]Document{
		"type ghost":        {Of: &thing{}, Enums: []Enum{{"ghost", "colour", []any{"red"}}}},
		"the field size of": {Of: &thing{}, Enums: []Enum{{"thing", "size", []any{"red"}}}},
		"of package nowhere": {Of: &thing{}, Comments: map[string]string{
			"nowhere": filepath.Join(t.TempDir(), "none"),
		}},
	} {
		_, err := stale.Generate()
		require.ErrorContains(t, err, want)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "out.json")
	require.NoError(t, write([]string{file}, func() ([]byte, error) { return []byte("{}"), nil }))
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "{}", string(got))
	require.ErrorContains(t, write(nil, nil), "not 0")
	broken := errors.New("broken")
	require.ErrorIs(t, write([]string{file}, func() ([]byte, error) { return nil, broken }), broken)
}
