package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// renders is an installer that can only render.
type renders struct {
	scenario.Installer
	files map[string]string
}

func (r renders) Render(map[string]any) (map[string]string, error) { return r.files, nil }

// TestObjectsAreComparedWhole: whatever an override changes beside its label is named.
func TestObjectsAreComparedWhole(t *testing.T) {
	t.Parallel()
	const before = "kind: Deployment\nspec: {volumes: [{name: a, secret: b}]}\n---\nkind: Secret\ndata: {k: c2VjcmV0}\n"
	for name, tc := range map[string]struct {
		after string
		want  []string
	}{
		"the label alone": {
			"kind: Deployment\nspec: {volumes: [{name: a, secret: b}]}\nlabels: {mine: here}\n---\nkind: Secret\n" +
				"data: {k: c2VjcmV0}\n", nil,
		},
		"a volume of another Secret": {
			"kind: Deployment\nspec: {volumes: [{name: a, secret: c}]}\n---\nkind: Secret\ndata: {k: c2VjcmV0}\n",
			[]string{"document 0 of all.yaml has changed"},
		},
		"a lost key": {
			"kind: Deployment\nspec: {volumes: [{name: a, secret: b}]}\n---\nkind: Secret\ndata: {}\n",
			[]string{"document 1 of all.yaml has changed"},
		},
		"a lost object": {
			"kind: Deployment\nspec: {volumes: [{name: a, secret: b}]}\n", []string{"document 1 of all.yaml is gone"},
		},
		"a new object": {before + "---\nkind: Role\n", []string{"document 2 of all.yaml is new"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			render := func(text string) objects {
				env := &scenario.Env{Installer: renders{files: map[string]string{"all.yaml": text, "NOTES.txt": "{"}}}
				found, err := rendered(env, nil, "mine")
				require.NoError(t, err)
				return found
			}
			require.Equal(t, tc.want, render(before).differences(render(tc.after)))
		})
	}
	require.Equal(t, objects{"b": 1}, objects{"a": 1, "b": 1}.without([]string{"a has changed"}))
}
