package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/scenarios"
)

func TestDocumentsAreFresh(t *testing.T) {
	t.Parallel()
	list, found, err := mutantsOf("../..")
	require.NoError(t, err)
	for file, want := range map[string]string{
		"scenarios.md": render(scenarios.All(), noticed(list, found)), "mutants.md": page(list, found),
	} {
		raw, err := os.ReadFile("../../docs/" + file)
		require.NoError(t, err)
		if string(raw) != want {
			t.Errorf("docs/%s is stale: run go generate ./scenarios", file)
		}
	}
}
