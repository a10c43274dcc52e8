package charts_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// TestRollingUpdate checks that a rollout keeps a pod, and that Recreate carries nothing that the
// API server refuses with it.
func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	recreate := deployment(t, "")
	require.Nil(t, recreate.Spec.Strategy.RollingUpdate)
	require.Zero(t, recreate.Spec.MinReadySeconds)
	rolling := deployment(t, "strategy: {type: RollingUpdate}")
	require.Equal(t, appsv1.RollingUpdateDeploymentStrategyType, rolling.Spec.Strategy.Type)
	require.Equal(t, 0, rolling.Spec.Strategy.RollingUpdate.MaxSurge.IntValue(),
		"a surge finds no node where one pod per node is the rule")
	require.Equal(t, 1, rolling.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue())
	require.EqualValues(t, 10, rolling.Spec.MinReadySeconds)
	surge := deployment(t,
		"{strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 100%, maxUnavailable: 0}}, minReadySeconds: 3}")
	require.Equal(t, "100%", surge.Spec.Strategy.RollingUpdate.MaxSurge.String())
	require.EqualValues(t, 3, surge.Spec.MinReadySeconds)
	single := deployment(t, "{strategy: {type: RollingUpdate}, replicaCount: 1}")
	require.Equal(t, 1, single.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue(), "one pod cannot be kept")
}

// TestProbes checks the budgets: 5 s and 11 s per 1,000 namespaces, twice, and at the start the
// wait for the database.
func TestProbes(t *testing.T) {
	t.Parallel()
	budget := func(probe *corev1.Probe) int32 { return probe.PeriodSeconds * probe.FailureThreshold }
	server := func(values string) corev1.Container { return deployment(t, values).Spec.Template.Spec.Containers[0] }
	for _, tt := range []struct {
		namespaces      string
		start, takeover int32
	}{{"0", 90, 60}, {"1000", 112, 60}, {"10000", 310, 230}, {"50000", 1190, 1110}} {
		c := server("sizing: {expectedNamespaces: " + tt.namespaces + "}")
		require.Equal(t, tt.start, budget(c.StartupProbe), tt.namespaces)
		require.Equal(t, tt.takeover, budget(c.LivenessProbe), tt.namespaces)
	}
	own := server("{startupProbe: {failureThreshold: 7}, livenessProbe: {periodSeconds: 7}, " +
		"readinessProbe: {failureThreshold: 9, initialDelaySeconds: 1}}")
	require.EqualValues(t, 7, own.StartupProbe.FailureThreshold)
	require.GreaterOrEqual(t, budget(own.LivenessProbe), int32(230), "another period keeps the budget")
	require.EqualValues(t, 9, own.ReadinessProbe.FailureThreshold)
	require.EqualValues(t, 1, own.ReadinessProbe.InitialDelaySeconds)
	// Another seal waits for an operator, who has as long as it takes. No traffic goes to it.
	shamir := server("config: {unseal: {static: {enabled: false}}}")
	for _, probe := range []*corev1.Probe{shamir.StartupProbe, shamir.LivenessProbe} {
		require.Contains(t, probe.HTTPGet.Path, "sealedcode=204")
		require.Contains(t, probe.HTTPGet.Path, "uninitcode=204")
	}
	require.NotContains(t, shamir.ReadinessProbe.HTTPGet.Path, "code=")
	// Null: what the tier's memory holds; nobody knows that of resources of one's own.
	for values, takeover := range map[string]int32{
		"{resources: null, sizing: {tier: 3}}": 60, "{resources: null, sizing: {tier: 30}}": 190,
		"{resources: null, sizing: {tier: 150}}": 670, "{resources: null, sizing: {tier: 0}}": 230, "": 230,
	} {
		require.Equal(t, takeover, budget(server(values).LivenessProbe), values)
	}
	exec := server("livenessProbe: {exec: {command: [bao, status]}}")
	require.Nil(t, exec.LivenessProbe.HTTPGet)
	require.Equal(t, []string{"bao", "status"}, exec.LivenessProbe.Exec.Command)
	path := server("{readinessProbe: {httpGet: {path: /v1/sys/health}}, tlsSecretName: t, config: {tlsDisable: false}}")
	require.Equal(t, "/v1/sys/health", path.ReadinessProbe.HTTPGet.Path)
	require.Equal(t, corev1.URISchemeHTTPS, path.ReadinessProbe.HTTPGet.Scheme)
	require.Equal(t, "api", path.ReadinessProbe.HTTPGet.Port.String())
}

// TestSizing checks each row of GitLab's table.
func TestSizing(t *testing.T) {
	t.Parallel()
	resources := func(values string) corev1.ResourceRequirements {
		pod := gitlabDeployment(t, values).Spec.Template.Spec
		return pod.Containers[0].Resources
	}
	for tier, want := range map[string][3]string{
		"3": {"500m", "1", "2Gi"}, "6": {"500m", "1", "3Gi"}, "12": {"500m", "1", "4Gi"},
		"30": {"500m", "1", "9Gi"}, "60": {"1", "2", "16Gi"}, "150": {"2", "4", "31Gi"},
	} {
		r := resources("sizing: {tier: " + tier + "}")
		got := [3]string{r.Requests.Cpu().String(), r.Limits.Cpu().String(), r.Limits.Memory().String()}
		require.Equal(t, want, got, tier)
		require.Equal(t, r.Requests.Memory().String(), r.Limits.Memory().String(), tier)
	}
	require.Empty(t, resources("sizing: {tier: 0}"))
	free := resources("sizing: {tier: 30, cpuLimit: false}")
	require.Zero(t, free.Limits.Cpu().Value())
	require.Equal(t, "9Gi", free.Limits.Memory().String())
	own := resources("{sizing: {tier: 150}, resources: {requests: {cpu: 1m}}}")
	require.Equal(t, "1m", own.Requests.Cpu().String())
	require.Empty(t, own.Limits, "the tier adds nothing to resources of one's own")
}

// TestSecretChangeRestartsPods checks that OpenBao, which reads its files once, meets what is new
// in a Secret of the user, and that nothing else restarts it.
func TestSecretChangeRestartsPods(t *testing.T) {
	t.Parallel()
	const values = "{tlsSecretName: tls, config: {tlsDisable: false, unseal: {static: {currentKeySecret: seal}}}}"
	const checksum = "checksum/secrets"
	pods := func(secrets ...map[string]any) map[string]string {
		rendered := onCluster(t, values, secrets...)["templates/deployment.yaml"]
		return decode[*appsv1.Deployment](t, rendered, release).Spec.Template.Annotations
	}
	require.NotContains(t, pods(), checksum)
	secrets := map[string]map[string]any{
		"openbao-postgresql": stored("openbao-postgresql", "password", "a"),
		"tls":                stored("tls", "tls.crt", "a"), "seal": stored("seal", "key", "a"),
		"other": stored("other", "key", "a"),
	}
	first := pods(slices.Collect(maps.Values(secrets))...)[checksum]
	require.NotEmpty(t, first)
	for name, secret := range secrets {
		data := secret["data"]
		secret["data"] = map[string]any{"key": "Yg=="}
		now := pods(slices.Collect(maps.Values(secrets))...)[checksum]
		secret["data"] = data
		require.Equal(t, name == "other", now == first, name)
	}
}

// TestAddresses checks what a pod advertises: a URL wants brackets around IPv6.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for family, host := range map[string]string{"IPv4": "$(POD_IP)", "IPv6": "[$(POD_IP)]"} {
		env := deployment(t, "config: {podIPFamily: "+family+"}").Spec.Template.Spec.Containers[0].Env
		require.Contains(t, env, corev1.EnvVar{Name: "BAO_API_ADDR", Value: "http://" + host + ":8200"})
		require.Contains(t, env, corev1.EnvVar{Name: "BAO_CLUSTER_ADDR", Value: "https://" + host + ":8201"})
	}
}

// TestImageDigest checks that a digest goes to every container, beside the tag that tells the
// version.
func TestImageDigest(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("a", 64)
	rendered := renderOpenBao(t, "image: {digest: '"+digest+"'}")
	require.Equal(t, 3, strings.Count(rendered, "image: openbao/openbao:2.4.0@"+digest), "pods, Job and test")
}

// TestRevocationWorkers checks the limit of an expiry storm.
func TestRevocationWorkers(t *testing.T) {
	t.Parallel()
	const name = "BAO_LEASE_REVOCATION_WORKERS"
	env := deployment(t, "config: {leaseRevocationWorkers: 2}").Spec.Template.Spec.Containers[0].Env
	require.Contains(t, env, corev1.EnvVar{Name: name, Value: "2"})
	require.NotContains(t, renderOpenBao(t, ""), name)
}

// TestTopologySpread checks the presets over zones, and that a user's constraints win.
func TestTopologySpread(t *testing.T) {
	t.Parallel()
	spread := func(values string) []corev1.TopologySpreadConstraint {
		return deployment(t, values).Spec.Template.Spec.TopologySpreadConstraints
	}
	pods := deployment(t, "").Spec.Template.Labels
	require.Len(t, spread(""), 1)
	require.Equal(t, corev1.ScheduleAnyway, spread("")[0].WhenUnsatisfiable)
	require.Equal(t, "topology.kubernetes.io/zone", spread("")[0].TopologyKey)
	require.True(t, matches(t, spread("")[0].LabelSelector, pods))
	require.Equal(t, corev1.DoNotSchedule, spread("topologySpreadPreset: hard")[0].WhenUnsatisfiable)
	require.Empty(t, spread("topologySpreadPreset: none"))
}

// TestExtras checks that lists and templated text of lists, which GitLab's chart takes, come to
// the same.
func TestExtras(t *testing.T) {
	t.Parallel()
	const lists = `{extraVolumes: [{name: own-openbao, emptyDir: {}}],
		extraVolumeMounts: [{name: own-openbao, mountPath: /own}], extraEnv: [{name: A, value: b}],
		extraContainers: [{name: side, image: i}], extraInitContainers: [{name: before, image: i}]}`
	const texts = "extraVolumes: |\n  - name: own-{{ .Release.Name }}\n    emptyDir: {}\n" +
		"extraVolumeMounts: |\n  - name: own-{{ .Release.Name }}\n    mountPath: /own\n" +
		"extraEnv: '[{name: A, value: b}]'\nextraContainers: '[{name: side, image: i}]'\n" +
		"extraInitContainers: '[{name: before, image: i}]'"
	require.Equal(t, withoutKeys(renderOpenBao(t, lists)), withoutKeys(renderOpenBao(t, texts)))
	pod := deployment(t, lists).Spec.Template.Spec
	require.Equal(t, "side", pod.Containers[1].Name)
	require.Equal(t, "openbao-server", pod.Containers[0].Name)
	require.Equal(t, "before", pod.InitContainers[0].Name)
	require.Contains(t, pod.Containers[0].Env, corev1.EnvVar{Name: "A", Value: "b"})
	require.Contains(t, pod.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "own-openbao", MountPath: "/own"})
}

// TestAddressesSeeThePod: Kubernetes puts in the variables above it only, and leaves the name of a
// later one as text.
func TestAddressesSeeThePod(t *testing.T) {
	t.Parallel()
	env := deployment(t, "").Spec.Template.Spec.Containers[0].Env
	at := func(name string) int {
		i := slices.IndexFunc(env, func(v corev1.EnvVar) bool { return v.Name == name })
		require.GreaterOrEqual(t, i, 0, name)
		return i
	}
	for _, address := range []string{"BAO_API_ADDR", "BAO_CLUSTER_ADDR"} {
		for _, of := range []string{"POD_IP", "BAO_K8S_POD_NAME", "BAO_K8S_NAMESPACE"} {
			require.Less(t, at(of), at(address), "%s in %s", of, address)
		}
	}
}
