package lifecycle

import (
	"strings"
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
	const (
		deployment = "kind: Deployment\nmetadata: {name: a}\nspec: {volumes: [{name: a, secret: b}]}\n"
		secret     = "---\nkind: Secret\nmetadata: {name: b}\n"
		before     = deployment + secret + "data: {k: c2VjcmV0}\n"
	)
	for name, tc := range map[string]struct {
		after string
		want  []string
	}{
		"the label alone": {deployment + "labels: {mine: here}\n" + secret + "data: {k: c2VjcmV0}\n", nil},
		"a volume of another Secret": {
			strings.Replace(before, "secret: b", "secret: c", 1), []string{"Deployment a has changed"},
		},
		"a lost key":    {deployment + secret + "data: {}\n", []string{"Secret b has changed"}},
		"a lost object": {deployment, []string{"Secret b is gone"}},
		"a new object": {
			before + "---\nkind: Role\nmetadata: {name: c, namespace: d}\n", []string{"Role d/c is new"},
		},
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
