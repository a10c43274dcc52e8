package charts_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/alerts"
)

func TestPodMonitor(t *testing.T) {
	t.Parallel()
	const template = "templates/podmonitor.yaml"
	monitor := tree(t, renderOpenBao(t, "{tlsSecretName: t, config: {tlsDisable: false}, "+
		"podMonitor: {enabled: true, additionalLabels: {l: m}, selectorLabels: {openbao-active: 'true'}, "+
		"endpointConfig: {interval: 5s, tlsConfig: {insecureSkipVerify: true}}}}", template))
	require.Equal(t, "PodMonitor", monitor["kind"])
	require.Equal(t, release, dig(t, monitor, "metadata", "name"))
	require.Equal(t, "m", dig(t, monitor, "metadata", "labels", "l"))
	require.Equal(t, map[string]any{
		"app.kubernetes.io/name": "openbao", "app.kubernetes.io/instance": "openbao", "openbao-active": "true",
	}, dig(t, monitor, "spec", "selector", "matchLabels"))
	require.Equal(t, map[string]any{
		"port": "metrics", "path": "/v1/sys/metrics", "scheme": "https",
		"params":   map[string]any{"format": []any{"prometheus"}},
		"interval": "5s", "tlsConfig": map[string]any{"insecureSkipVerify": true},
	}, dig(t, monitor, "spec", "podMetricsEndpoints", 0))
	absent(t, template, "{podMonitor: {enabled: true}, config: {telemetry: {enabled: false}}}") // nothing to scrape
}

// TestMetricsListener checks who may see what on the metrics port.
func TestMetricsListener(t *testing.T) {
	t.Parallel()
	listener := func(values string) map[string]any {
		return dig(t, serverConfig(t, values), "listener", 1, "tcp").(map[string]any)
	}
	require.NotContains(t, listener("")["telemetry"], "metrics_only", "2.4.0 does not know it")
	for _, values := range []string{
		"image: {tag: 2.5.0}", "image: {tag: v2.5.5-gitlab2}",
		"{image: {tag: f00dfeed}, openbaoVersion: v2.6.2}",
	} {
		require.Equal(t, true, dig(t, listener(values), "telemetry", "metrics_only"), values)
	}
	all := listener("{openbaoVersion: 2.6.2, config: {metricsListener: {metricsOnly: false}}}")
	require.NotContains(t, all["telemetry"], "metrics_only")
	plain := listener("{tlsSecretName: t, config: {tlsDisable: false, metricsListener: {tlsDisable: true}}}")
	require.Equal(t, true, plain["tls_disable"])
	require.Equal(t, "/srv/openbao/tls/tls.crt",
		listener("{tlsSecretName: t, config: {metricsListener: {tlsDisable: false}}}")["tls_cert_file"])

	off := "config: {telemetry: {enabled: false}}"
	require.NotContains(t, serverConfig(t, off), "telemetry")
	require.Len(t, serverConfig(t, off)["listener"], 1)
	require.NotContains(t, deployment(t, off).Spec.Template.Annotations, "prometheus.io/scrape")
	annotations := deployment(t, "").Spec.Template.Annotations
	for _, prefix := range []string{"prometheus.io/", "gitlab.com/prometheus_"} {
		require.Equal(t, "8209", annotations[prefix+"port"])
		require.Equal(t, "/v1/sys/metrics", annotations[prefix+"path"])
	}
}

// alert is a rule of a PrometheusRule.
type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

// alertsOf are the rules by name.
func alertsOf(t *testing.T, values string) map[string]alert {
	t.Helper()
	rule := tree(t, renderOpenBao(t, values, "templates/prometheusrule.yaml"))
	groups := dig(t, rule, "spec", "groups", 0, "rules")
	text, err := json.Marshal(groups)
	require.NoError(t, err)
	var rules []alert
	require.NoError(t, json.Unmarshal(text, &rules))
	byName := map[string]alert{}
	for _, r := range rules {
		require.NotContains(t, byName, r.Alert)
		byName[r.Alert] = r
	}
	return byName
}

// TestAlerts checks that every limit stands in its alert, that all are valid PromQL about this
// release only, and that each says what is wrong.
func TestAlerts(t *testing.T) {
	t.Parallel()
	all := alertsOf(t, "prometheusRule: {enabled: true, thresholds: {requestMean: 21, requestP99: 11, inFlight: 6, "+
		"postgresGet: 7, throttled: 0.26, cpu: 0.51, memory: 0.91}}")
	for name, limit := range map[string]string{
		"OpenBaoRequestsSlow": "> 21", "OpenBaoRequestsSlowP99": "> 11", "OpenBaoRequestsInFlight": "> 6",
		"OpenBaoDatabaseSlow": "> 7",
		"OpenBaoThrottled":    "> 0.26", "OpenBaoCPUHigh": "> 0.51", "OpenBaoMemoryHigh": "> 0.91",
		"OpenBaoSealed": "== 0", "OpenBaoNoActive": "< 1", "OpenBaoSeveralActive": "> 1", "OpenBaoAuditFailing": "> 0",
		"OpenBaoLeadershipChanges": "> 2",
	} {
		require.Contains(t, all, name)
		require.True(t, strings.HasSuffix(all[name].Expr, limit), "%s: %s", name, all[name].Expr)
		require.NotEmpty(t, metricNames(t, all[name].Expr), name)
		require.NotEmpty(t, all[name].Labels["severity"], name)
		require.NotEmpty(t, all[name].Annotations["summary"], name)
	}
	require.Len(t, all, 12, "an alert is not tested")
	require.NotContains(t, alertsOf(t, "prometheusRule: {enabled: true, disabled: [OpenBaoSealed]}"), "OpenBaoSealed")
	require.Contains(t, alertsOf(t, "prometheusRule: {enabled: true, extraRules: [{alert: Mine, expr: up == 0}]}"),
		"Mine")
	other := alertsOf(t,
		"{prometheusRule: {enabled: true}, config: {telemetry: {metricsPrefix: secrets_manager_openbao}}}")
	require.Equal(t, []string{"secrets_manager_openbao_core_unsealed"}, metricNames(t, other["OpenBaoSealed"].Expr))
}

// TestDashboard checks the panels' queries, and that the sidecar finds the dashboard.
func TestDashboard(t *testing.T) {
	t.Parallel()
	config := dashboardConfig(t, "{grafanaDashboard: {enabled: true, annotations: {folder: Secrets}}, "+
		"config: {telemetry: {metricsPrefix: sm}}}")
	require.Equal(t, "1", config.Labels["grafana_dashboard"])
	require.Equal(t, "Secrets", config.Annotations["folder"])
	dashboard := parse(t, config.Data[namespace+"-openbao.json"])
	ids, places := map[any]bool{}, map[any]bool{}
	for _, panel := range dashboard["panels"].([]any) {
		require.NotEmpty(t, dig(t, panel, "title"))
		ids[dig(t, panel, "id")] = true
		places[[2]any{dig(t, panel, "gridPos", "x"), dig(t, panel, "gridPos", "y")}] = true
	}
	require.Len(t, ids, len(dashboard["panels"].([]any)), "two panels have one id")
	require.Len(t, places, len(ids), "two panels in one place")
	require.True(t, slices.Contains(dashboardMetrics(t, dashboard), "sm_core_active"))
}

func dashboardConfig(t *testing.T, values string) *corev1.ConfigMap {
	t.Helper()
	return decode[*corev1.ConfigMap](t, renderOpenBao(t, values, "templates/configmap-dashboard.yaml"),
		"openbao-dashboard")
}

// dashboardMetrics are the names of the metrics in a dashboard's queries.
func dashboardMetrics(t *testing.T, dashboard map[string]any) []string {
	t.Helper()
	var names []string
	for _, panel := range dashboard["panels"].([]any) {
		for _, target := range dig(t, panel, "targets").([]any) {
			query := strings.ReplaceAll(dig(t, target, "expr").(string), "$__rate_interval", "5m")
			names = append(names, metricNames(t, query)...)
		}
	}
	return names
}

// metricNames parses a query and lists the metrics in it, each of which has to be confined to the
// release's pods.
func metricNames(t *testing.T, query string) []string {
	t.Helper()
	selectors, err := alerts.Selectors(query)
	require.NoError(t, err, query)
	var names []string
	for _, selector := range selectors {
		text := selector.String()
		require.Contains(t, text, `namespace="`+namespace+`"`)
		require.Contains(t, text, `pod=~"openbao-`)
		names = append(names, selector.Name)
	}
	return names
}

// TestMonitoredPods checks the pattern of the pods' names on the names that Kubernetes gives.
func TestMonitoredPods(t *testing.T) {
	t.Parallel()
	expr := alertsOf(t, "prometheusRule: {enabled: true}")["OpenBaoSealed"].Expr
	_, pattern, found := strings.Cut(expr, `pod=~"`)
	require.True(t, found, expr)
	pattern, _, _ = strings.Cut(pattern, `"`)
	pods := regexp.MustCompile("^(?:" + pattern + ")$") // Prometheus anchors its patterns
	require.Regexp(t, pods, "openbao-7b9f5d6c4d-x2x7k")
	for _, foreign := range []string{
		"openbao-other-7b9f5d6c4d-x2x7k", "my-openbao-7b9f5d6c4d-x2x7k",
		"openbao-test-status",
	} {
		require.NotRegexp(t, pods, foreign)
	}
}
