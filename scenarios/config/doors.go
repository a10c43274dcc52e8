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

// door is a path that nobody without a token may find open.
type door struct {
	name, title string
	method      string // "" is GET
	path        string // relative to /v1/
	want        []int
}

func doors() []door {
	shut := []int{http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed}
	return []door{
		{"mounts", "Who is not logged in cannot list mounts", "", "sys/mounts", shut},
		{"host-info", "Who is not logged in learns nothing about the host", "", "sys/host-info", shut},
		{"profiles", "Who is not logged in cannot take profiles of the server", "", "sys/pprof/goroutine", shut},
		{"in-flight-requests", "Who is not logged in cannot see other people's requests", "", "sys/in-flight-req", shut},
		{"ha-status", "Who is not logged in learns no addresses of nodes", "", "sys/ha-status", shut},
		{"storage", "Who is not logged in cannot read the storage", "", "sys/raw/core", shut},
		{"audit-devices", "Who is not logged in cannot see or add audit devices", "", "sys/audit", shut},
		{"namespaces", "Who is not logged in cannot list groups and projects", "", "sys/namespaces?list=true", shut},
		{"policies", "Who is not logged in cannot list policies", "", "sys/policies/acl?list=true", shut},
		{"leases", "Who is not logged in cannot look up leases", "", "sys/leases/lookup?list=true", shut},
		{"seal", "Who is not logged in cannot seal the server", http.MethodPut, "sys/seal", shut},
		{"step-down", "Who is not logged in cannot move leadership", http.MethodPut, "sys/step-down", shut},
		{"introspection", "The server's own memory cannot be looked at", "", "sys/internal/inspect/router/root", shut},
		{
			"initialise-again", "The server cannot be initialised a second time", http.MethodPut, "sys/init",
			[]int{http.StatusBadRequest, http.StatusForbidden},
		},
	}
}

func (d door) scenario() scenario.Scenario {
	return scenario.Scenario{
		ID: "config/door-" + d.name, Title: d.title, Protects: intruders,
		Source: "OpenBao API: which paths need no token; openbao/openbao, http/handler.go at v2.4.0",
		Kind:   scenario.Abuse, Cost: scenario.Slow, Budget: time.Minute, Parallel: true,
		// Catches, for all: an option that opens a path to everybody, a policy of the anonymous, a
		// proxy that adds a token.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			ctx, cancel := context.WithTimeout(ctx, env.Timeouts.Fetch)
			defer cancel()
			method := d.method
			body := any(nil)
			if method == "" {
				method = http.MethodGet
			} else {
				body = map[string]any{}
			}
			r, err := env.Client.Do(ctx, openbao.Request{Method: method, Path: d.path, Body: body})
			require.NoError(t, err)
			require.True(t, slices.Contains(d.want, r.Status), "%s %s answers %d to everybody, want one of %v", method, d.path,
				r.Status, d.want)
		},
	}
}

func webInterface() scenario.Scenario {
	return scenario.Scenario{
		ID: "config/door-web-interface", Title: "The web interface is off", Protects: intruders,
		Source: "GitLab's OpenBao chart: config.ui is false; openbao/openbao, http/handler.go: /ui/",
		Kind:   scenario.Abuse, Cost: scenario.Slow, Budget: time.Minute, Parallel: true,
		// Catches: the interface switched on to look at something, and left on.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			ctx, cancel := context.WithTimeout(ctx, env.Timeouts.Fetch)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, env.Address+"/ui/", nil)
			require.NoError(t, err)
			client := openbao.HTTPClient(false)
			response, err := client.Do(request)
			require.NoError(t, err)
			_ = response.Body.Close()
			require.Equal(t, http.StatusNotFound, response.StatusCode, "GET /ui/")
		},
	}
}
