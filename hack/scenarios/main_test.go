package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/scenarios"
)

func TestDocumentIsFresh(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/scenarios.md")
	require.NoError(t, err)
	noticed, err := mutantsOf("../..")
	require.NoError(t, err)
	if string(raw) != render(scenarios.All(), noticed) {
		t.Fatal("docs/scenarios.md is stale: run go generate ./scenarios")
	}
}
