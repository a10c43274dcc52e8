package gitlab_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
)

func TestRecipes(t *testing.T) {
	t.Parallel()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	require.Len(t, recipes, 2)
	plan, err := gitlab.Plan(recipes, 3, 1)
	require.NoError(t, err)
	require.Equal(t, "group_100/project_1000", plan[0].Name)
	require.Equal(t, "org_1/group_101/project_1001", plan[1].Name)
	require.Equal(t, "group_100/project_1002", plan[2].Name)
	require.Equal(t, "org_1/group_101/project_1001/auth/pipeline_jwt/cel/login", plan[1].AuthPath)
	require.Equal(t, "org_1/group_101/project_1001/secrets/kv/data/explicit", plan[1].SecretPath)
}

// TestParseRecipeRefuses edits a good recipe in one place each.
func TestParseRecipeRefuses(t *testing.T) {
	t.Parallel()
	good := recipeFile(t)
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown field":    {"title:", "titel:", `unknown field "titel"`},
		"duplicate field":  {"\nsecretPath:", "\nid: twice\nsecretPath:", "occurs twice"},
		"format":           {"steamer/recipe/v1", "steamer/recipe/v9", "apiVersion"},
		"id":               {"id: two-level-jwt", "id: Two_Level", "lower-case words"},
		"version":          {"version: 1", "version: 0", "1 or more"},
		"method":           {"method: POST", "method: PUT", `method "PUT"`},
		"as":               {"as: user", "as: root", "neither privileged nor user"},
		"forEach":          {"forEach: namespace", "forEach: secret", "is not namespace"},
		"unknown template": {"${.Leaf}", "${.Leave}", "create namespace"},
		"broken template":  {"${.Parent}sys", "${.Parent sys", "create namespace"},
		"tolerate all":     {"[path is already in use]", "['']", "every refusal"},
		"two bodies":       {"    policy:\n", "    body: {}\n    policy:\n", "more than one of"},
		"no yaml":          {"apiVersion", "\tapiVersion", "not valid YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, good, c.old)
			_, err := gitlab.ParseRecipe("test.yaml", []byte(strings.Replace(good, c.old, c.new, 1)))
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "test.yaml")
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
		})
	}
}

// FuzzParseRecipe looks for input that makes the parser panic, and checks that
// what it accepts can be planned.
func FuzzParseRecipe(f *testing.F) {
	f.Add([]byte(recipeFile(f)))
	f.Add([]byte("apiVersion: steamer/recipe/v1\nnamespaces: ['${.Org}']"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := gitlab.ParseRecipe("fuzz", raw)
		if err != nil {
			return
		}
		_, err = gitlab.Plan([]*gitlab.Recipe{r}, 1, 1)
		require.NoError(t, err)
	})
}

func TestSecretPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ env, branch, want string }{
		{"*", "*", "pipelines/global"},
		{"prod", "*", "pipelines/env/70726f64"},
		{"*", "main", "pipelines/branch/6d61696e"},
		{"prod", "main", "pipelines/combined/env/70726f64/branch/6d61696e"},
		{"prod*", "*", "pipelines/env/70726f642a"}, // only a lone * is a wildcard
	} {
		require.Equal(t, c.want, gitlab.Secret{Environment: c.env, Branch: c.branch}.Policy())
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	for _, n := range [][2]int{{0, 1}, {1, 0}, {-1, 4}} {
		_, err := gitlab.Plan(recipes, n[0], n[1])
		require.ErrorContains(t, err, "at least one")
	}
	_, err = gitlab.Plan(nil, 1, 1)
	require.Error(t, err)
}

func recipeFile(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile("recipes/two-level-jwt.yaml")
	require.NoError(t, err)
	return string(raw)
}
