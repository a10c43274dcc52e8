package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDetached(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, want, err string }{
		"keeps what OpenBao checks": {
			config: `{"api_adr": "x", "seal": {"static": {}}, "audit": [], "storage": {"postgresql": {}}, "telemetry": {"a": 1}, "listener": [{"tcp": {"address": ":8200", "odd": 1}}]}`,
			want: `{"api_adr": "x", "storage": {"inmem": {}}, "telemetry": {"a": 1},
				"listener": [{"tcp": {"address": "127.0.0.1:0", "cluster_address": "127.0.0.1:0", "tls_disable": true, "odd": 1}}]}`,
		},
		"no listener":   {config: `{"listener": []}`, err: "no list of listeners"},
		"other":         {config: `{"listener": [{"unix": {}}]}`, err: "not of type tcp"},
		"not an object": {config: `[]`, err: "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := detached(c.config)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.JSONEq(t, c.want, got)
		})
	}
}
