package charts_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

func deployment(t *testing.T, values string) *appsv1.Deployment {
	t.Helper()
	return decode[*appsv1.Deployment](t, renderOpenBao(t, values, "templates/deployment.yaml"), release)
}

// TestDeploymentDefaults checks what GitLab's dialect promises to whoever watches the pods.
func TestDeploymentDefaults(t *testing.T) {
	t.Parallel()
	d := deployment(t, "")
	require.EqualValues(t, 2, *d.Spec.Replicas)
	require.Equal(t, appsv1.RecreateDeploymentStrategyType, d.Spec.Strategy.Type)
	pod := d.Spec.Template.Spec
	require.Len(t, pod.Containers, 1)
	server := pod.Containers[0]
	require.Equal(t, "openbao-server", server.Name)
	require.Equal(t, "openbao/openbao:2.4.0", server.Image)
	require.Equal(t, []string{"bao", "server", "-config=$(OPENBAO_CONFIG_DIRECTORY)", "-exit-on-core-shutdown"},
		server.Command, "openbao/openbao would serve from memory")
	gitlabs := deployment(t, "image: {tag: 2.4.0-gitlab1}").Spec.Template.Spec.Containers[0]
	require.Empty(t, gitlabs.Command, "the entrypoint of GitLab's image starts the server")
	ports := map[string]int32{}
	for _, p := range server.Ports {
		ports[p.Name] = p.ContainerPort
	}
	require.Equal(t, map[string]int32{"api": 8200, "cluster": 8201, "metrics": 8209}, ports)
	const health = "/v1/sys/health?standbyok=true"
	for probe, path := range map[*corev1.Probe]string{
		server.StartupProbe: health + "&uninitcode=204", server.LivenessProbe: health + "&uninitcode=204",
		server.ReadinessProbe: health,
	} {
		require.Equal(t, path, probe.HTTPGet.Path)
		require.Equal(t, "api", probe.HTTPGet.Port.String())
		require.Equal(t, corev1.URISchemeHTTP, probe.HTTPGet.Scheme)
	}
}

func TestPodIsConfined(t *testing.T) {
	t.Parallel()
	pod := deployment(t, "").Spec.Template.Spec
	require.True(t, *pod.SecurityContext.RunAsNonRoot)
	require.EqualValues(t, 1000, *pod.SecurityContext.RunAsUser)
	require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
	security := pod.Containers[0].SecurityContext
	require.True(t, *security.ReadOnlyRootFilesystem)
	require.False(t, *security.AllowPrivilegeEscalation)
	require.Equal(t, []corev1.Capability{"ALL"}, security.Capabilities.Drop)
	for _, volume := range pod.Volumes {
		if volume.Secret != nil {
			require.Zero(t, *volume.Secret.DefaultMode&0o007, "%s is readable by everybody", volume.Name)
		}
	}
}

// TestEnvironment checks that a variable comes before those that refer to it: Kubernetes
// expands $(POD_IP) in no other order.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	pod := deployment(t, "extraEnv: [{name: BAO_LEASE_REVOCATION_WORKERS, value: '2'}]").Spec.Template.Spec
	env := pod.Containers[0].Env
	at := func(name string) int {
		i := slices.IndexFunc(env, func(v corev1.EnvVar) bool { return v.Name == name })
		require.GreaterOrEqual(t, i, 0, name)
		return i
	}
	require.Equal(t, "/srv/openbao/config/", env[at("OPENBAO_CONFIG_DIRECTORY")].Value)
	require.Equal(t, "openbao-postgresql", env[at("PGPASSWORD")].ValueFrom.SecretKeyRef.Name)
	require.Equal(t, "http://$(POD_IP):8200", env[at("BAO_API_ADDR")].Value)
	require.Equal(t, "https://$(POD_IP):8201", env[at("BAO_CLUSTER_ADDR")].Value)
	require.Less(t, at("POD_IP"), at("BAO_API_ADDR"))
	require.Less(t, at("POD_IP"), at("BAO_CLUSTER_ADDR"))
	require.Equal(t, "metadata.name", env[at("BAO_K8S_POD_NAME")].ValueFrom.FieldRef.FieldPath)
	require.Equal(t, "metadata.namespace", env[at("BAO_K8S_NAMESPACE")].ValueFrom.FieldRef.FieldPath)
	require.Equal(t, "2", env[at("BAO_LEASE_REVOCATION_WORKERS")].Value)
}

// TestVolumes checks that every mount has its volume in each branch, that none is
// mounted twice, and that a user's own are added and replace nothing.
func TestVolumes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, values string
		want         []string
	}{
		{"default", "", []string{"config", "tmp", "static-unseal"}},
		{
			"own", "{extraVolumes: [{name: own, emptyDir: {}}], extraVolumeMounts: [{name: own, mountPath: /own}]}",
			[]string{"config", "tmp", "static-unseal", "own"},
		},
		{"no static seal", "config: {unseal: {static: {enabled: false}}}", []string{"config", "tmp"}},
		{
			"rotation", "config: {unseal: {static: {previousKeyId: old, previousKeySecret: s}}}",
			[]string{"config", "tmp", "static-unseal", "static-unseal-previous"},
		},
		{
			"database CA", "config: {storage: {postgresql: {connection: {sslMode: verify-ca, sslRootCert: {configMap: ca}}}}}",
			[]string{"config", "tmp", "static-unseal", "postgresql-ca"},
		},
		{
			"client certificate", "config: {storage: {postgresql: {connection: {sslClientCert: {secret: c}}}}}",
			[]string{"config", "tmp", "static-unseal", "postgresql-client"},
		},
		{
			"http audit", "{openbaoVersion: 2.5.0, config: {audit: {http: {enabled: true, streamingUri: 'http://w'}}}}",
			[]string{"config", "tmp", "static-unseal", "http-audit"},
		},
		{"TLS", "{tlsSecretName: t, config: {tlsDisable: false}}", []string{"config", "tmp", "static-unseal", "tls"}},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pod := deployment(t, tt.values).Spec.Template.Spec
			volumes, mounts, paths := []string{}, []string{}, []string{}
			for _, v := range pod.Volumes {
				volumes = append(volumes, v.Name)
			}
			for _, m := range pod.Containers[0].VolumeMounts {
				mounts = append(mounts, m.Name)
				require.NotContains(t, paths, m.MountPath)
				paths = append(paths, m.MountPath)
			}
			require.ElementsMatch(t, tt.want, volumes)
			require.ElementsMatch(t, tt.want, mounts)
		})
	}
}

// TestConfigChangeRestartsPods checks the checksum, and that a change of nothing restarts nothing.
func TestConfigChangeRestartsPods(t *testing.T) {
	t.Parallel()
	sum := func(values string) string {
		return deployment(t, values).Spec.Template.Annotations["checksum/config"]
	}
	require.NotEqual(t, sum(""), sum("config: {cacheSize: 1}"))
	require.Equal(t, sum(""), sum("podDisruptionBudget: {enabled: false}"))
}

// TestServices checks that each Service selects the pods' labels and what tells active from
// standby.
func TestServices(t *testing.T) {
	t.Parallel()
	const values = "{nameOverride: bao, fullnameOverride: openbao, serviceInactive: {nodePort: 30821}, " +
		"serviceActive: {type: NodePort, nodePort: 30820, annotations: {a: b}}}"
	services := renderOpenBao(t, values, "templates/services.yaml")
	pods := deployment(t, values).Spec.Template.Labels
	for kind, active := range map[string]string{"active": "true", "inactive": "false"} {
		service := decode[*corev1.Service](t, services, "openbao-"+kind)
		require.Equal(t, active, service.Spec.Selector["openbao-active"])
		for key, value := range service.Spec.Selector {
			if key != "openbao-active" {
				require.Equal(t, value, pods[key], key)
			}
		}
		require.Equal(t, "api", service.Spec.Ports[0].TargetPort.String())
		require.EqualValues(t, 8200, service.Spec.Ports[0].Port)
	}
	require.Equal(t, "false", pods["openbao-active"], "a pod that has not reported is not active")
	require.EqualValues(t, 30820, decode[*corev1.Service](t, services, "openbao-active").Spec.Ports[0].NodePort)
	require.Zero(t, decode[*corev1.Service](t, services, "openbao-inactive").Spec.Ports[0].NodePort,
		"a ClusterIP has none")
}

// TestAccess checks that the pods may change themselves and nothing else, and only when they must.
func TestAccess(t *testing.T) {
	t.Parallel()
	const template = "templates/rbac.yaml"
	all := renderOpenBao(t, "", template)
	role := decode[*rbacv1.Role](t, all, release)
	require.Equal(t, []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"pods"},
		Verbs: []string{"get", "patch"},
	}}, role.Rules)
	binding := decode[*rbacv1.RoleBinding](t, all, release)
	require.Equal(t, role.Name, binding.RoleRef.Name)
	require.Equal(t, []rbacv1.Subject{{Kind: "ServiceAccount", Name: "openbao", Namespace: namespace}}, binding.Subjects)
	require.False(t, *decode[*corev1.ServiceAccount](t, all, release).AutomountServiceAccountToken)
	require.True(t, *deployment(t, "").Spec.Template.Spec.AutomountServiceAccountToken)

	const off = "config: {serviceRegistration: {enabled: false}}"
	require.Equal(t, []string{"ServiceAccount/openbao"}, names(t, renderOpenBao(t, off, template)))
	require.False(t, *deployment(t, off).Spec.Template.Spec.AutomountServiceAccountToken)
	active := decode[*corev1.Service](t, renderOpenBao(t, off, "templates/services.yaml"), "openbao-active")
	require.NotContains(t, active.Spec.Selector, "openbao-active")

	own := renderOpenBao(t, "role: {ownPodOnly: true}", template)
	rule := decode[*admissionv1.ValidatingAdmissionPolicy](t, own, release+"."+namespace)
	require.Equal(t, "request.userInfo.username == 'system:serviceaccount:"+namespace+":openbao'",
		rule.Spec.MatchConditions[0].Expression)
	require.Equal(t, namespace, rule.Spec.MatchConstraints.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"])
	bound := decode[*admissionv1.ValidatingAdmissionPolicyBinding](t, own, release+"."+namespace)
	require.Equal(t, rule.Name, bound.Spec.PolicyName)
	require.NotContains(t, all, "ValidatingAdmissionPolicy", "it is the cluster's, not the namespace's")

	foreign := renderOpenBao(t, "serviceAccount: {create: false, name: other}", template)
	require.NotContains(t, names(t, foreign), "ServiceAccount/openbao")
	require.Equal(t, "other", decode[*rbacv1.RoleBinding](t, foreign, release).Subjects[0].Name)
}

func TestDisruptionAndScaling(t *testing.T) {
	t.Parallel()
	const budgets, scalers = "templates/poddisruptionbudget.yaml", "templates/horizontalpodautoscaler.yaml"
	budget := decode[*policyv1.PodDisruptionBudget](t, renderOpenBao(t, "", budgets), release)
	require.Equal(t, 1, budget.Spec.MaxUnavailable.IntValue(), "a drain never takes both pods")
	absent(t, budgets, "podDisruptionBudget: {enabled: false}")

	const scaled = "autoscaling: {enabled: true}"
	absent(t, scalers, "")
	require.Nil(t, deployment(t, scaled).Spec.Replicas, "the autoscaler owns it")
	scaler := decode[*autoscalingv2.HorizontalPodAutoscaler](t, renderOpenBao(t, scaled, scalers), release)
	require.Equal(t, "openbao", scaler.Spec.ScaleTargetRef.Name)
}

// TestPlacement checks the anti-affinity presets and that a user's affinity wins.
func TestPlacement(t *testing.T) {
	t.Parallel()
	soft := deployment(t, "").Spec.Template.Spec.Affinity
	require.Len(t, soft.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution, 1)
	hard := deployment(t, "podAntiAffinityPreset: hard").Spec.Template.Spec.Affinity
	require.Len(t, hard.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution, 1)
	require.Nil(t, deployment(t, "podAntiAffinityPreset: none").Spec.Template.Spec.Affinity)
	own := deployment(t, "affinity: {nodeAffinity: {}}").Spec.Template.Spec.Affinity
	require.Nil(t, own.PodAntiAffinity)
	require.NotNil(t, own.NodeAffinity)

	pod := deployment(t, "{nodeSelector: {a: b}, tolerations: [{key: k}], priorityClassName: high, "+
		"topologySpreadConstraints: [{maxSkew: 1, topologyKey: z, whenUnsatisfiable: DoNotSchedule}], "+
		"imagePullSecrets: [{name: p}], podLabels: {l: m}, podAnnotations: {note: o}}").Spec.Template
	require.Equal(t, map[string]string{"a": "b"}, pod.Spec.NodeSelector)
	require.Equal(t, "k", pod.Spec.Tolerations[0].Key)
	require.Equal(t, "z", pod.Spec.TopologySpreadConstraints[0].TopologyKey)
	require.Equal(t, "high", pod.Spec.PriorityClassName)
	require.Equal(t, "p", pod.Spec.ImagePullSecrets[0].Name)
	require.Equal(t, "m", pod.Labels["l"])
	require.Equal(t, "o", pod.Annotations["note"])
}
