package kubeapi_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
)

func parse(t *testing.T, text string) (schema.GroupVersionKind, map[string]any) {
	t.Helper()
	var object map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &object))
	return schema.FromAPIVersionAndKind(object["apiVersion"].(string), object["kind"].(string)), object
}

// TestEmbedded checks what is built in: at least two versions, each with its source, small.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"1.37.2", "1.36.3"}, kubeapi.Versions())
	for _, version := range kubeapi.Versions() {
		api, err := kubeapi.Load(version)
		require.NoError(t, err)
		require.Equal(t, version, api.Version)
		require.Regexp(t, `^k8s\.io/kubernetes@v`+version+` api/openapi-spec/swagger\.json sha256:[0-9a-f]{64}$`, api.Source)
		info, err := os.Stat(filepath.Join("schemas", version+".json.gz"))
		require.NoError(t, err)
		require.Less(t, info.Size(), int64(1<<20))
		require.True(t, api.Serves(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}))
		require.True(t, api.Serves(schema.GroupVersionKind{Version: "v1", Kind: "Secret"}))
		require.Subset(t, api.APIVersions(), []string{"v1", "v1/Secret", "policy/v1", "policy/v1/PodDisruptionBudget"})
		require.NotContains(t, api.APIVersions(), "policy/v1beta1")
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for wanted, got := range map[string]string{"": "1.37.2", "1.36": "1.36.3", "v1.36.3": "1.36.3", "1.37.2": "1.37.2"} {
		api, err := kubeapi.Load(wanted)
		require.NoError(t, err, wanted)
		require.Equal(t, got, api.Version, wanted)
	}
	for _, wanted := range []string{"1.3", "1.35", "1.36.2", "1", "v", "moon", "."} {
		_, err := kubeapi.Load(wanted)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), "%q: %v", wanted, err)
		require.ErrorContains(t, err, "1.36.3", wanted)
	}
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, creationTimestamp: null}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers:
        - name: a
          image: a:1
          ports: [{containerPort: 80}]
          env: [{name: A, value: "1"}]
          resources: {limits: {cpu: 1, memory: 1Gi}}
          livenessProbe: {httpGet: {port: api, path: /}}
`

// TestValidate seeds one defect at a time into an object that is right.
func TestValidate(t *testing.T) {
	t.Parallel()
	api, err := kubeapi.Load("")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		text string
		want []kubeapi.Problem
	}{
		"right": {deployment, nil},
		"unknown field": {
			deployment + "          imagePullpolicy: Always\n",
			[]kubeapi.Problem{{"spec.template.spec.containers[0].imagePullpolicy", `unknown field "imagePullpolicy"`}},
		},
		"number for a string": {
			deployment + "          terminationMessagePath: 8\n",
			[]kubeapi.Problem{{"spec.template.spec.containers[0].terminationMessagePath", "is number, has to be string"}},
		},
		"required": {
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{image: a}]}}}",
			[]kubeapi.Problem{
				{"spec.selector", `required field "selector" is missing`}, {
					"spec.template.spec.containers[0].name",
					`required field "name" is missing`,
				},
			},
		},
		"null is absent": {
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {selector: null, template: {spec: " +
				"{containers: [{name: a}]}}}",
			[]kubeapi.Problem{{"spec.selector", `required field "selector" is missing`}},
		},
		"quantity": {
			"apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: a}\nspec: {hard: {cpu: 1 core}}", []kubeapi.Problem{{
				"spec.hard.cpu",
				"is no valid quantity",
			}},
		},
		"base64": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a.b: '%'}",
			[]kubeapi.Problem{{`data["a.b"]`, "is no valid byte"}},
		},
		"int32": {
			"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 8589934592}]}", []kubeapi.Problem{{
				"spec.ports[0].port",
				"is no valid int32",
			}},
		},
		"time": {
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, creationTimestamp: now}", []kubeapi.Problem{{
				"metadata.creationTimestamp",
				"is no valid date-time",
			}},
		},
		"port by name or number": {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1, " +
			"targetPort: api}, {port: 2, " +
			"targetPort: 8200}]}", nil},
		"port as a list": {
			"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1, targetPort: [1]}]}",
			[]kubeapi.Problem{{"spec.ports[0].targetPort", "is array, has to be integer or string"}},
		},
		"definition of a resource": {
			"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec:\n  group: a\n  " +
				"scope: Namespaced\n  " +
				"names: {kind: A, plural: as}\n" +
				"  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {a: " +
				"{items: {type: string}}}}}}]",
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gvk, object := parse(t, tc.text)
			got, err := api.Validate(gvk, object)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

// TestLifecycle knows what is gone, what will be and what is custom.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	api, err := kubeapi.Load("1.36")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		gvk         schema.GroupVersionKind
		native      bool
		served      bool
		description string
	}{
		"served": {schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}, true, true, ""},
		"gone": {
			schema.GroupVersionKind{Group: "policy", Version: "v1beta1", Kind: "PodDisruptionBudget"},
			true, false,
			"replaced by policy/v1 PodDisruptionBudget",
		},
		"extensions": {
			schema.GroupVersionKind{Group: "extensions", Version: "v1beta1", Kind: "Ingress"},
			true, false,
			"removed in 1.22",
		},
		"deprecated": {schema.GroupVersionKind{Version: "v1", Kind: "Endpoints"}, true, true, "deprecated since 1.33"},
		"no kind":    {schema.GroupVersionKind{Version: "v1", Kind: "Moon"}, true, false, "does not serve it"},
		"custom": {
			schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: "PodMonitor"},
			false,
			false, "does not serve it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			description, served := api.Lifecycle(tc.gvk)
			require.Equal(t, tc.served, served)
			require.Equal(t, tc.native, api.Native(tc.gvk.Group))
			if tc.description == "" {
				require.Empty(t, description)
			}
			require.Contains(t, description, tc.description)
		})
	}
	_, err = api.Validate(schema.GroupVersionKind{Version: "v1", Kind: "Moon"}, nil)
	require.ErrorContains(t, err, "does not serve v1/Moon")
}

// FuzzValidate feeds trees of any form to the schema of a Deployment: a problem or none, and never
// a panic.
func FuzzValidate(f *testing.F) {
	api, err := kubeapi.Load("")
	require.NoError(f, err)
	for _, seed := range []string{
		`{}`, `{"spec":[]}`,
		`{"spec":{"template":{"spec":{"containers":[null,1,{"ports":[{"containerPort":1e99}]}]}}}}`,
		`{"metadata":{"labels":{"a":1}}}`,
	} {
		f.Add(seed)
	}
	gvk := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	f.Fuzz(func(t *testing.T, text string) {
		var object map[string]any
		if json.Unmarshal([]byte(text), &object) != nil {
			return
		}
		problems, err := api.Validate(gvk, object)
		require.NoError(t, err)
		for _, p := range problems {
			require.NotEmpty(t, p.Message)
		}
	})
}
