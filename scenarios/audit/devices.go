package audit

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func devices() scenario.Scenario {
	return scenario.Scenario{
		ID:       "audit/devices",
		Subject:  scenario.SubjectChart,
		Title:    "At least one audit device is enabled, without raw values, filters or excluded fields",
		Protects: readers,
		Source:   "OpenBao, audit devices: log_raw, hmac_accessor, filter, exclude",
		Features: []scenario.Feature{scenario.FeatureAudit},
		Kind:     scenario.Functional,
		Budget:   time.Minute,
		Parallel: true,
		// Catches: auditing that is off, log_raw that was left on after debugging, a filter that
		// hides reads.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			devices, err := auditDevices(ctx, env)
			require.NoError(t, err)
			require.NotEmpty(t, devices, "nothing is recorded: no audit device is on")
			for _, d := range devices {
				t.Logf("%s is of type %s", d.Path, d.Type)
				for option, harmless := range map[string]string{
					"log_raw": "false", "hmac_accessor": "true", "filter": "",
					"exclude": "",
				} {
					if set, ok := d.Options[option]; ok && set != harmless {
						t.Errorf("device %s has %s = %s", d.Path, option, set)
					}
				}
			}
		},
	}
}
