package topology

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestParseObjects: rendered templates hold the objects that Helm would install.
func TestParseObjects(t *testing.T) {
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
			objects, err := parseObjects(tc.files)
			if tc.fails {
				require.ErrorContains(t, err, "template 1.yaml does not make Kubernetes objects")
				return
			}
			require.NoError(t, err)
			var found []string
			for _, o := range objects {
				if o.Kind != "" {
					found = append(found, o.Kind+" "+o.Metadata.Name)
				}
			}
			require.Equal(t, tc.want, found)
		})
	}
}
