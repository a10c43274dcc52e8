package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAsksForMetricsAlone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"listener": [{"tcp": {"address": "a"}}, {"tcp": {"telemetry": {"metrics_only": true}}}]}`: true,
		`{"listener": [{"tcp": {"telemetry": {"metrics_only": false}}}]}`:                           false,
		`{"listener": [{"tcp": {"telemetry": {"unauthenticated_metrics_access": true}}}]}`:          false,
		`listener "tcp" {}`: false,
		`{}`:                false,
	} {
		require.Equal(t, want, asksForMetricsAlone(text), text)
	}
}
