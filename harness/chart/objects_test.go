package chart_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
)

// TestObjects: rendered templates hold the objects that Helm would install.
func TestObjects(t *testing.T) {
	t.Parallel()
	const a, b = "kind: Service\napiVersion: v1\nmetadata: {name: a}\n", "kind: Role\nmetadata: {name: b}\n"
	const items = "items:\n- {apiVersion: v1, kind: Service, metadata: {name: a}}\n- {kind: Role, metadata: {name: b}}\n"
	for name, tc := range map[string]struct {
		files map[string]string
		want  []string
		fails bool
	}{
		"two documents": {
			files: map[string]string{"c/templates/x.yaml": a + "---\n" + b},
			want:  []string{"Service a", "Role b"},
		},
		"two files": {files: map[string]string{"2.yml": b, "1.yaml": a}, want: []string{"Service a", "Role b"}},
		"other ends of names": {
			files: map[string]string{"1.yaml.tpl": a, "2.json": `{"kind": "Role", "metadata": {"name": "b"}}`, "3": a},
			want:  []string{"Service a", "Role b", "Service a"},
		},
		"notes and partials": {
			files: map[string]string{"c/templates/NOTES.txt": "Call: me", "c/charts/d/templates/_x.yaml": a, "NOTES.txt": "{"},
		},
		"nothing in it": {files: map[string]string{"1.yaml": "", "2.yaml": "# a comment\n---\n---\n# another\n"}},
		"a list": {
			files: map[string]string{"1.yaml": "kind: List\napiVersion: v1\n" + items},
			want:  []string{"Service a", "Role b"},
		},
		"an empty list": {files: map[string]string{"1.yaml": "kind: List\napiVersion: v1\nitems: []\n"}},
		"beside objects": {
			files: map[string]string{"1.yaml": b + "---\nkind: List\napiVersion: v1\n" + items + "---\n" + a},
			want:  []string{"Role b", "Service a", "Role b", "Service a"},
		},
		"a list in a list": {
			files: map[string]string{"1.yaml": "kind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n" +
				"  - {apiVersion: v1, kind: Service, metadata: {name: a}}\n"},
			want: []string{"Service a"},
		},
		"a list of one kind": {
			files: map[string]string{"1.yaml": "kind: ServiceList\napiVersion: v1\nitems:\n- metadata: {name: a}\n"},
			want:  []string{"Service a"},
		},
		"a list in JSON": {
			files: map[string]string{"1.yaml": `{"kind": "List", "apiVersion": "v1", "items": [{"kind": "Role", "metadata": {"name": "b"}}]}`},
			want:  []string{"Role b"},
		},
		"a text":          {files: map[string]string{"1.yaml": "moon"}, fails: true},
		"a list of texts": {files: map[string]string{"1.yaml": "kind: List\napiVersion: v1\nitems: [moon]\n"}, fails: true},
		"no YAML":         {files: map[string]string{"1.yaml": "kind: [\n"}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, err := chart.Objects(chart.Documents(tc.files))
			if tc.fails {
				require.ErrorContains(t, err, "template 1.yaml does not make Kubernetes objects")
				return
			}
			require.NoError(t, err)
			var found []string
			for _, o := range objects {
				found = append(found, o.GetKind()+" "+o.GetName())
			}
			require.Equal(t, tc.want, found)
		})
	}
}

// TestObjectsBesideAnError: a template that makes no objects does not hide those of others.
func TestObjectsBesideAnError(t *testing.T) {
	t.Parallel()
	objects, err := chart.Objects(chart.Documents(map[string]string{
		"1.yaml": "moon", "2.yaml": "kind: Secret\nmetadata: {name: a}\n", "3.yaml": "kind: [\n",
	}))
	require.ErrorContains(t, err, "template 1.yaml")
	require.ErrorContains(t, err, "template 3.yaml")
	require.Len(t, objects, 1)
	require.Equal(t, "a", objects[0].GetName())
}

// TestAs reads the fields that a struct has, and refuses those of another type.
func TestAs(t *testing.T) {
	t.Parallel()
	files := map[string]string{"1.yaml": "kind: A\nspec: {ports: [{nodePort: 3}]}\n"}
	objects, err := chart.Objects(chart.Documents(files))
	require.NoError(t, err)
	var number struct {
		Spec struct {
			Ports []struct {
				NodePort int `json:"nodePort"`
			} `json:"ports"`
		} `json:"spec"`
	}
	require.NoError(t, chart.As(objects[0], &number))
	require.Equal(t, 3, number.Spec.Ports[0].NodePort)
	var text struct {
		Spec struct {
			Ports string `json:"ports"`
		} `json:"spec"`
	}
	require.Error(t, chart.As(objects[0], &text))
}
