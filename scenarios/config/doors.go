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

// doors catch an option that opens a path to everyone, a policy for unauthenticated requests, and
// a proxy that adds a token.
func doors() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Protects: intruders,
		Source:   "OpenBao API: paths that need no token; openbao/openbao, http/handler.go at v2.4.0",
		Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
	},
		scenario.Row("config/door-mounts", "Mounts cannot be listed without a token",
			closed(http.MethodGet, "sys/mounts")),
		scenario.Row("config/door-host-info", "Information about the host cannot be read without a token",
			closed(http.MethodGet, "sys/host-info")),
		scenario.About(scenario.SubjectChart, scenario.Row("config/door-profiles", "Profiles cannot be taken without a token",
			closed(http.MethodGet, "sys/pprof/goroutine"))),
		scenario.About(scenario.SubjectChart, scenario.Row("config/door-in-flight-requests",
			"Requests in flight cannot be listed without a token",
			closed(http.MethodGet, "sys/in-flight-req"))),
		scenario.Row("config/door-ha-status", "Node addresses cannot be read without a token",
			closed(http.MethodGet, "sys/ha-status")),
		scenario.Row("config/door-storage", "The raw storage cannot be read without a token",
			closed(http.MethodGet, "sys/raw/core")),
		scenario.Row("config/door-audit-devices", "Audit devices cannot be listed without a token",
			closed(http.MethodGet, "sys/audit")),
		scenario.Row("config/door-namespaces", "Namespaces of groups and projects cannot be listed without a token",
			closed(http.MethodGet, "sys/namespaces?list=true")),
		scenario.Row("config/door-policies", "Policies cannot be listed without a token",
			closed(http.MethodGet, "sys/policies/acl?list=true")),
		scenario.Row("config/door-leases", "Leases cannot be listed without a token",
			closed(http.MethodGet, "sys/leases/lookup?list=true")),
		scenario.Row("config/door-seal", "The server cannot be sealed without a token",
			closed(http.MethodPut, "sys/seal")),
		scenario.Row("config/door-step-down", "Leadership cannot be moved without a token",
			closed(http.MethodPut, "sys/step-down")),
		scenario.Row("config/door-introspection", "The server's internal state cannot be inspected without a token",
			closed(http.MethodGet, "sys/internal/inspect/router/root")),
		scenario.Row("config/door-initialise-again", "The server cannot be initialised a second time",
			closed(http.MethodPut, "sys/init", http.StatusBadRequest, http.StatusForbidden)),
	)
}

// closed makes a request without a token to a path relative to /v1/ and expects one of the
// statuses. Without any it expects those of a path that is closed or does not exist.
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
		require.True(t, slices.Contains(want, r.Status), "%s %s without a token: status %d, want one of %v", method, path,
			r.Status, want)
	}
}
