package charts_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// matches says whether a label selector picks an object's labels.
func matches(t *testing.T, selector *metav1.LabelSelector, object map[string]string) bool {
	t.Helper()
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	return parsed.Matches(labels.Set(object))
}

// ports are the ports of a rule by name or number.
func ports(rule []networkingv1.NetworkPolicyPort) []string {
	var names []string
	for _, port := range rule {
		names = append(names, port.Port.String())
	}
	return names
}

const policyTemplate = "templates/networkpolicy.yaml"

// TestNetworkPolicy checks who may reach which port: the chosen peers, this release's own helpers,
// and the pods one another.
func TestNetworkPolicy(t *testing.T) {
	t.Parallel()
	absent(t, policyTemplate, "")
	const values = "networkPolicy: {enabled: true, api: [{namespaceSelector: {matchLabels: {a: gitlab}}}], " +
		"metrics: [{namespaceSelector: {matchLabels: {a: monitoring}}}]}"
	policy := decode[*networkingv1.NetworkPolicy](t, renderOpenBao(t, values, policyTemplate), release)
	pods := renderOpenBao(t, values,
		"templates/deployment.yaml", "templates/bootstrap.yaml", "templates/tests/status.yaml")
	server := decode[*appsv1.Deployment](t, pods, release).Spec.Template.Labels
	bootstrap := decode[*batchv1.Job](t, pods, "openbao-bootstrap").Spec.Template.Labels
	status := decode[*corev1.Pod](t, pods, "openbao-test-status").Labels
	require.True(t, matches(t, &policy.Spec.PodSelector, server))
	require.False(t, matches(t, &policy.Spec.PodSelector, bootstrap))
	require.Equal(t, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, policy.Spec.PolicyTypes)

	require.Len(t, policy.Spec.Ingress, 3)
	api, cluster, metrics := policy.Spec.Ingress[0], policy.Spec.Ingress[1], policy.Spec.Ingress[2]
	require.Equal(t, []string{"api"}, ports(api.Ports))
	for _, own := range []map[string]string{server, bootstrap, status} {
		require.True(t, matches(t, api.From[0].PodSelector, own), "%v", own)
	}
	require.Equal(t, "gitlab", api.From[1].NamespaceSelector.MatchLabels["a"])
	require.Equal(t, []string{"cluster"}, ports(cluster.Ports))
	require.Len(t, cluster.From, 1)
	require.True(t, matches(t, cluster.From[0].PodSelector, server))
	require.False(t, matches(t, cluster.From[0].PodSelector, status))
	require.Equal(t, []string{"metrics"}, ports(metrics.Ports))
	require.Equal(t, "monitoring", metrics.From[0].NamespaceSelector.MatchLabels["a"])

	closed := decode[*networkingv1.NetworkPolicy](t,
		renderOpenBao(t, "networkPolicy: {enabled: true}", policyTemplate), release)
	require.Len(t, closed.Spec.Ingress, 2, "a rule without peers would let everybody scrape")
	require.Len(t, closed.Spec.Ingress[0].From, 1)
}

// TestEgress checks what the pods and the bootstrap Job may reach.
func TestEgress(t *testing.T) {
	t.Parallel()
	const on = "networkPolicy: {enabled: true, egress: {enabled: true, " +
		"postgresql: [{ipBlock: {cidr: 10.0.0.9/32}}], extra: [{ports: [{port: 1234}]}]}}\n"
	all := renderOpenBao(t, on+"openbaoVersion: 2.5.0\n"+
		"config: {initialize: {oidcDiscoveryUrl: 'https://gitlab.test'}, "+
		"audit: {http: {enabled: true, streamingUri: 'http://[fd00::1]:8181/a'}}, "+
		"storage: {postgresql: {connection: {port: 6432}}}}", policyTemplate, "templates/bootstrap.yaml")
	policy := decode[*networkingv1.NetworkPolicy](t, all, release)
	require.Equal(t, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		policy.Spec.PolicyTypes)
	byPort := map[string][]networkingv1.NetworkPolicyPeer{}
	for _, rule := range policy.Spec.Egress {
		for _, port := range ports(rule.Ports) {
			byPort[port] = rule.To
		}
	}
	require.Len(t, byPort, 8, "GitLab's port is Kubernetes' too")
	for _, anywhere := range []string{"53", "443", "6443", "8181", "1234"} {
		require.Contains(t, byPort, anywhere)
		require.Empty(t, byPort[anywhere])
	}
	require.Equal(t, "10.0.0.9/32", byPort["6432"][0].IPBlock.CIDR)
	for _, own := range []string{"api", "cluster"} {
		require.Len(t, byPort[own], 1)
	}

	job := decode[*networkingv1.NetworkPolicy](t, all, "openbao-bootstrap")
	require.Equal(t, "pre-install,pre-upgrade", job.Annotations["helm.sh/hook"])
	require.True(t, matches(t, &job.Spec.PodSelector,
		decode[*batchv1.Job](t, all, "openbao-bootstrap").Spec.Template.Labels))
	require.Empty(t, job.Spec.Ingress, "nobody asks the Job anything")
	var jobPorts []string
	for _, rule := range job.Spec.Egress {
		jobPorts = append(jobPorts, ports(rule.Ports)...)
	}
	require.ElementsMatch(t, []string{"53", "53", "api", "cluster", "6432", "1234"}, jobPorts,
		"neither GitLab nor Kubernetes")
	alone := renderOpenBao(t, on+"bootstrap: {enabled: false}\nreplicaCount: 1", policyTemplate)
	require.Equal(t, []string{"NetworkPolicy/openbao"}, names(t, alone))
}

func TestIngress(t *testing.T) {
	t.Parallel()
	const template = "templates/ingress.yaml"
	ingress := func(values string) *networkingv1.Ingress {
		return decode[*networkingv1.Ingress](t, renderOpenBao(t, values, template), release)
	}
	absent(t, template, "")
	absent(t, template, "ingress: {enabled: null}")

	plain := ingress("ingress: {enabled: true, className: nginx, hostname: bao.test, annotations: {a: b}}")
	require.Equal(t, "nginx", *plain.Spec.IngressClassName)
	backend := plain.Spec.Rules[0].HTTP.Paths[0].Backend.Service
	require.Equal(t, "openbao-active", backend.Name, "a standby would only forward")
	require.Equal(t, "api", backend.Port.Name)
	require.Equal(t, "bao.test", plain.Spec.Rules[0].Host)
	require.Equal(t, []networkingv1.IngressTLS{{Hosts: []string{"bao.test"}, SecretName: "openbao-openbao-tls"}},
		plain.Spec.TLS)
	require.Equal(t, map[string]string{
		"a": "b", "cert-manager.io/issuer": "openbao-issuer", "cert-manager.io/issue-temporary-certificate": "false",
		"acme.cert-manager.io/http01-edit-in-place": "true",
	}, plain.Annotations)

	own := ingress("ingress: {enabled: true, tls: {secretName: mine}}")
	require.Equal(t, "mine", own.Spec.TLS[0].SecretName)
	require.Empty(t, own.Annotations, "cert-manager would write over a Secret that is not the chart's")
	issued := ingress("ingress: {enabled: true, configureCertmanager: true, tls: {secretName: mine}}")
	require.Contains(t, issued.Annotations, "cert-manager.io/issuer")
	require.Empty(t, ingress("ingress: {enabled: true, tls: {enabled: false}}").Spec.TLS)

	const passthrough = "{ingress: {enabled: true, sslPassthroughNginx: true, " +
		"annotations: {nginx.ingress.kubernetes.io/backend-protocol: GRPCS}}, config: {tlsDisable: false}, " +
		"global: {ingress: {annotations: {c: d}, useNewIngressForCerts: true}}}"
	annotations := ingress(passthrough).Annotations
	require.Equal(t, "true", annotations["nginx.ingress.kubernetes.io/ssl-passthrough"])
	require.Equal(t, "GRPCS", annotations["nginx.ingress.kubernetes.io/backend-protocol"], "the user's own wins")
	require.Equal(t, "false", annotations["acme.cert-manager.io/http01-edit-in-place"])
	require.Equal(t, "d", annotations["c"])
	for _, volume := range deployment(t, passthrough).Spec.Template.Spec.Volumes {
		if volume.Name == "tls" {
			require.Equal(t, "openbao-openbao-tls", volume.Secret.SecretName, "the listener takes the Ingress' certificate")
			return
		}
	}
	t.Fatal("no volume tls")
}

func TestHTTPRoute(t *testing.T) {
	t.Parallel()
	const template = "templates/httproute.yaml"
	absent(t, template, "gatewayRoute: {enabled: null}")
	route := tree(t, renderOpenBao(t, "{ingress: {hostname: bao.test}, gatewayRoute: {enabled: true, gatewayName: gw, "+
		"gatewayNamespace: edge, annotations: {a: b}, timeouts: {request: 10s}}}", template))
	require.Equal(t, "HTTPRoute", route["kind"])
	require.Equal(t, "gateway.networking.k8s.io/v1", route["apiVersion"])
	require.Equal(t, map[string]any{"name": "gw", "namespace": "edge", "sectionName": "openbao-web"},
		dig(t, route, "spec", "parentRefs", 0))
	require.Equal(t, []any{"bao.test"}, dig(t, route, "spec", "hostnames"))
	require.Equal(t, map[string]any{"name": "openbao-active", "port": 8200.0}, dig(t, route, "spec", "rules", 0,
		"backendRefs", 0))
	require.Equal(t, "10s", dig(t, route, "spec", "rules", 0, "timeouts", "request"))
	require.Equal(t, "b", dig(t, route, "metadata", "annotations", "a"))
	bare := tree(t, renderOpenBao(t, "gatewayRoute: {enabled: true, sectionName: ''}", template))
	require.Equal(t, map[string]any{"name": "gateway"}, dig(t, bare, "spec", "parentRefs", 0))
}
