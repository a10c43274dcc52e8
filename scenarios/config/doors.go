package config

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// doors catch an option that opens a path to everybody, a policy of the anonymous, and a proxy that
// adds a token.
func doors() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Protects: intruders,
		Source:   "OpenBao API: which paths need no token; openbao/openbao, http/handler.go at v2.4.0",
		Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
	},
		scenario.Row("config/door-mounts", "Who is not logged in cannot list mounts",
			closed(http.MethodGet, "sys/mounts")),
		scenario.Row("config/door-host-info", "Who is not logged in learns nothing about the host",
			closed(http.MethodGet, "sys/host-info")),
		scenario.Row("config/door-profiles", "Who is not logged in cannot take profiles of the server",
			closed(http.MethodGet, "sys/pprof/goroutine")),
		scenario.Row("config/door-in-flight-requests", "Who is not logged in cannot see other people's requests",
			closed(http.MethodGet, "sys/in-flight-req")),
		scenario.Row("config/door-ha-status", "Who is not logged in learns no addresses of nodes",
			closed(http.MethodGet, "sys/ha-status")),
		scenario.Row("config/door-storage", "Who is not logged in cannot read the storage",
			closed(http.MethodGet, "sys/raw/core")),
		scenario.Row("config/door-audit-devices", "Who is not logged in cannot see or add audit devices",
			closed(http.MethodGet, "sys/audit")),
		scenario.Row("config/door-namespaces", "Who is not logged in cannot list groups and projects",
			closed(http.MethodGet, "sys/namespaces?list=true")),
		scenario.Row("config/door-policies", "Who is not logged in cannot list policies",
			closed(http.MethodGet, "sys/policies/acl?list=true")),
		scenario.Row("config/door-leases", "Who is not logged in cannot look up leases",
			closed(http.MethodGet, "sys/leases/lookup?list=true")),
		scenario.Row("config/door-seal", "Who is not logged in cannot seal the server",
			closed(http.MethodPut, "sys/seal")),
		scenario.Row("config/door-step-down", "Who is not logged in cannot move leadership",
			closed(http.MethodPut, "sys/step-down")),
		scenario.Row("config/door-introspection", "The server's own memory cannot be looked at",
			closed(http.MethodGet, "sys/internal/inspect/router/root")),
		scenario.Row("config/door-initialise-again", "The server cannot be initialised a second time",
			closed(http.MethodPut, "sys/init", http.StatusBadRequest, http.StatusForbidden)),
	)
}

// closed makes a request without a token to a path relative to /v1/, and expects one of the statuses;
// none are those of a path that is closed or not there.
func closed(method, path string, want ...int) scenario.Test {
	if len(want) == 0 {
		want = []int{http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed}
	}
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		ctx, cancel := context.WithTimeout(ctx, env.Timeouts.Fetch)
		defer cancel()
		request := openbao.Request{Method: method, Path: path}
		if method != http.MethodGet {
			request.Body = map[string]any{}
		}
		r, err := env.Client.Do(ctx, request)
		require.NoError(t, err)
		require.True(t, slices.Contains(want, r.Status), "%s %s answers %d to everybody, want one of %v", method, path,
			r.Status, want)
	}
}
