package config

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func probesAgree() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/probes-agree",
		Subject:  scenario.SubjectChart,
		Title:    "Probes use OpenBao's health endpoint and succeed on every ready pod",
		Protects: "pods from being restarted or taken out of service for no reason, and jobs from pods that cannot serve",
		Source:   "Kubernetes: container probes; build/CNG!3201: health answers within the probe's timeout",
		Features: []scenario.Feature{scenario.FeatureCluster},
		// Catches: a probe on a path that always answers, or on the wrong port, or that fails on a
		// standby; no probe; a readiness probe that does not ask the server.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			settled(ctx, t, env)
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			for _, p := range pods {
				c, err := cluster.Server(env, p)
				require.NoError(t, err)
				for name, probe := range map[string]*corev1.Probe{
					"startup": c.StartupProbe, "readiness": c.ReadinessProbe,
					"liveness": c.LivenessProbe,
				} {
					if probe == nil {
						require.NotEqual(t, "readiness", name, "pod %s has no readiness probe", p.Name)
						continue
					}
					if probe.HTTPGet == nil {
						require.True(t, name != "readiness" || asksServer(probe),
							"the readiness probe of pod %s does not ask OpenBao for its state", p.Name)
						t.Logf("%s probe of %s is not an HTTP request", name, p.Name)
						continue
					}
					g := cluster.Probed(c, probe.HTTPGet)
					require.Contains(t, g.Path, "/v1/sys/health", "%s probe of pod %s", name, p.Name)
					started := time.Now()
					status, _, err := cluster.Ask(ctx, env, p.Name, g)
					require.NoError(t, err)
					require.True(t, status >= 200 && status < 400, "%s probe of pod %s answers %d", name, p.Name, status)
					t.Measure(name+"_probe_milliseconds", float64(time.Since(started).Microseconds())/1000)
				}
			}
		},
	}
}

// asksServer reports whether a probe that is no HTTP request runs OpenBao's client or asks its
// API: a port is open, and other commands succeed, whatever the server's state is.
func asksServer(probe *corev1.Probe) bool {
	if probe.Exec == nil {
		return probe.GRPC != nil
	}
	return regexp.MustCompile(`\b(bao|vault)\b|/v1/sys/`).MatchString(strings.Join(probe.Exec.Command, " "))
}
