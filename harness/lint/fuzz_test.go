package lint

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
)

// FuzzRules has every rule that looks at objects and cases judge documents of any form: findings
// or none, and never a panic.
func FuzzRules(f *testing.F) {
	for _, seed := range []string{
		"", "a", "- a", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: ':'}], " +
			"volumes: [{}]}",
		"apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {'': 1}}\nspec: {selector: {a: b}, ports: [{}]}",
		"apiVersion: apps/v1\nkind: Deployment\nspec: {selector: {matchExpressions: [{key: '?', operator: '?'}]}}",
		"apiVersion: v1\nkind: List\nitems: [1, null, {kind: Secret}]",
		"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nspec: {rules: [{backendRefs: [1, {port: a}]}]}",
		"apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nspec: {selector: [1]}",
		"apiVersion: v1\nkind: ConfigMap\ndata: {config.json: '{\"storage\":{\"postgresql\":{\"connection_url\":1}}}'}",
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: a, annotations: {helm.sh/hook: " +
			"'a,b'}}\nrules: [{verbs: ['*']}]",
		"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: pre-install, " +
			"helm.sh/hook-weight: x}}\nspec: " +
			"{template: {spec: {containers: [{}]}}}",
		"apiVersion: v1\nkind: ConfigMap\ndata: {a.hcl: 'storage \"a\" {} listener {} " +
			"listener \"tcp\" { address = 1 } 1 = 2', " +
			"b.json: '[{\"storage\": 1}]', c.json: '{\"storage\": [[1]], \"listener\": [1, {\"tcp\": null}], \"seal\": 1}'}",
		"apiVersion: policy/v1\nkind: PodDisruptionBudget\nspec: {minAvailable: a%, selector: {matchLabels: {a: b}}}",
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: {ingress: [null], egress: [{ports: [{}], to: [{}]}]}",
		"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec: {groups: [{rules: [{expr: 1}, {expr: ')'}]}]}",
	} {
		f.Add(seed)
	}
	api, err := kubeapi.Load("")
	require.NoError(f, err)
	loaded, err := chart.Load("../../charts/postgresql")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		c := &Case{
			Name: "fuzz", Kind: Base, Release: release,
			documents: []chart.Document{{Template: "templates/a.yaml", Text: text}},
		}
		for _, document := range c.documents {
			c.Objects = append(c.Objects, parse(document)...)
		}
		s := &subject{ctx: context.Background(), api: api, cases: []*Case{c}, chart: loaded}
		for _, rule := range Rules() {
			var found findings
			switch {
			case rule.chart != nil || rule.ID == "wiring/references": // need a chart to render
			default:
				s.apply(rule, &found)
			}
			for _, finding := range sorted([]findings{found}) {
				require.NotEmpty(t, finding.Message)
			}
		}
		if server := serverConfig(c); server != nil {
			_, _ = connection(server)
		}
	})
}
