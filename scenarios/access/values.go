package access

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

func values() []scenario.Scenario {
	controls := make([]byte, 0, 32)
	for b := byte(1); b < ' '; b++ {
		controls = append(controls, b)
	}
	return scenario.Table(scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Protects: "certificates, keys and other values beyond simple words",
		Source:   "GitLab EE: a value has at most 10,000 bytes and is not restricted otherwise",
		Kind:     scenario.Functional, Budget: time.Minute, Parallel: true,
	},
		// They catch a limit, an encoding or a proxy between job and storage that changes or
		// refuses values.
		scenario.Row("access/value-largest", "A value of 10,000 bytes, GitLab's limit, is returned unchanged",
			comesBack(strings.Repeat("0123456789", 1000))),
		scenario.Row("access/value-largest-escaped",
			"A value of 10,000 bytes that JSON escapes to 60,000 is returned unchanged",
			comesBack(strings.Repeat("\x01", 10000))),
		scenario.Row("access/value-one-byte", "A value of one byte is returned unchanged", comesBack("x")),
		scenario.Row("access/value-empty", "An empty value is returned as an empty value", comesBack("")),
		scenario.Row("access/value-lines", "All kinds of line endings are preserved",
			comesBack("-----BEGIN X-----\nab\r\ncd\n\n-----END X-----\n")),
		scenario.Row("access/value-spaces", "Leading and trailing spaces are preserved", comesBack("  \t x \t ")),
		scenario.Row("access/value-unicode", "Characters outside ASCII are returned unnormalised",
			comesBack("pä\u0308ß 東京 \U0001F680 \u200f\u2028\ufeff")),
		scenario.Row("access/value-controls", "Control characters other than NUL are preserved",
			comesBack(string(controls)+"\x7f")),
		scenario.Row("access/value-json", "A value that is JSON is returned as text",
			comesBack(`{"data": {"value": "no"}, "a": [1, null, "\u0000"]}`)),
		scenario.Row("access/value-template", "A value that looks like a template is returned as text",
			comesBack(`${X} $(x) {{ .Data }} %s %00 </script>`)),
	)
}

// comesBack writes a value and expects that a job gets it byte by byte.
func comesBack(value string) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		tenancy.Each(ctx, t, env, one(), func(tenant gitlab.Tenant) {
			write(ctx, t, env, tenant, value, 1, http.StatusOK)
			a, err := env.Fetch(ctx, tenant, tenant.Secrets[0].Name, gitlab.DefaultJob())
			require.NoError(t, err)
			if !a.OK() || a.Value() != value || a.Version != 2 {
				t.Errorf("%s: %v, KV version %d, %d bytes; want version 2 with the %d bytes written",
					tenant.Name, a, a.Version, len(a.Value()), len(value))
			}
		})
	}
}

// one is a secret that every job of its project may read.
func one() []gitlab.Secret {
	return []gitlab.Secret{{Name: "SECRET_1", Environment: gitlab.Any, Branch: gitlab.Any, Version: 1}}
}

// write gives the tenant's first secret a value as its owner, with check-and-set on a version.
func write(ctx context.Context, t scenario.T, env *scenario.Env, tenant gitlab.Tenant, value string, cas, want int) {
	t.Helper()
	r, err := tenancy.AsUser(ctx, env, tenant, http.MethodPost, tenant.SecretPath+"/"+tenant.Secrets[0].Name,
		map[string]any{
			"data": map[string]any{"value": value}, "options": map[string]any{"cas": cas},
		})
	require.NoError(t, err)
	if r.Status != want {
		t.Errorf("writing with check-and-set %d at %s: status %d: %s; want %d", cas, tenant.Name, r.Status, r.Message(), want)
	}
}
