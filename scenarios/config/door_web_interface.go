package config

import (
	"context"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func doorWebInterface() scenario.Scenario {
	return scenario.Scenario{
		ID: "config/door-web-interface", Subject: scenario.SubjectChart,
		Title: "The web interface is off", Protects: intruders,
		Source: "GitLab's OpenBao chart: config.ui is false; openbao/openbao, http/handler.go: /ui/",
		Kind:   scenario.Abuse, Budget: time.Minute, Parallel: true,
		// Catches: an interface that was enabled temporarily and left on.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			ctx, cancel := context.WithTimeout(ctx, env.Timeouts.Fetch)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, env.Address+"/ui/", nil)
			require.NoError(t, err)
			client := openbao.Trusting(false, env.CA)
			response, err := client.Do(request)
			require.NoError(t, err)
			_ = response.Body.Close()
			require.Equal(t, http.StatusNotFound, response.StatusCode, "GET /ui/")
		},
	}
}
