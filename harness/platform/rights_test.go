package platform

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/topology"
)

// needsOf are the rights that a run of these scenarios on an existing cluster asks for, with
// values over the chart's.
func needsOf(t *testing.T, scenarios string, values map[string]any) []cluster.Need {
	t.Helper()
	load := func(name string) *chart.Chart {
		c, err := chart.Load("../../charts/" + name)
		require.NoError(t, err)
		return c
	}
	dialect, err := topology.DialectNamed("gitlab")
	require.NoError(t, err)
	spec := topology.Spec{
		Topology: topology.CloudNative, Run: "preflight", Chart: load("openbao"), Dialect: dialect, Overrides: values,
		Resources: topology.Resources{CPURequest: "1", CPULimit: "1", MemoryRequest: "1Gi", MemoryLimit: "1Gi"},
		Fixtures:  topology.Fixtures{PostgreSQL: load("postgresql"), GitLabStub: load("gitlab-stub")},
	}
	spec.Images = (&Provider{Plan: &plan.Resolved{}}).Spec(topology.CloudNative).Images
	env, err := topology.New(nil, nil, spec, nil)
	require.NoError(t, err)
	r := &Provider{Plan: &plan.Resolved{Plan: plan.Plan{
		Scenarios: scenarios, Load: true,
		InCluster: &plan.InCluster{Parallelism: 1},
	}}}
	needs, err := r.needs([]*topology.Environment{env})
	require.NoError(t, err)
	return needs
}

func has(needs []cluster.Need, verb, what string) bool {
	return slices.ContainsFunc(needs, func(n cluster.Need) bool {
		return slices.Contains(strings.Fields(n.Verbs), verb) && (n.Resource == what || n.Kind == what)
	})
}

// TestNeedsFollow: what the chart renders and what the chosen scenarios do decides which rights
// are asked for.
func TestNeedsFollow(t *testing.T) {
	t.Parallel()
	none := needsOf(t, "none", nil)
	require.True(t, has(none, "create", "Deployment") || has(none, "create", "StatefulSet"))
	require.True(t, has(none, "create", "Role"))
	require.True(t, has(none, "create", "pods/portforward"))
	require.True(t, has(none, "create", "pods/attach"), "load from pods")
	require.False(t, has(none, "create", "pods/eviction"))
	require.False(t, has(none, "create", "NetworkPolicy"))

	drain := needsOf(t, "^resilience/drain$", nil)
	require.True(t, has(drain, "create", "pods/eviction"))
	i := slices.IndexFunc(drain, func(n cluster.Need) bool { return n.Resource == "pods/eviction" })
	require.Equal(t, "scenario resilience/drain", drain[i].For)

	policy := needsOf(t, "none", map[string]any{"networkPolicy": map[string]any{"enabled": true}})
	require.True(t, has(policy, "create", "NetworkPolicy"))
}

// TestScenariosDeclareTheirRights reads what the scenarios' sources do with the API: no call is
// without a right that is asked for.
func TestScenariosDeclareTheirRights(t *testing.T) {
	t.Parallel()
	needs := needsOf(t, "all", nil)
	verbs := map[string]string{"GetLogs": "get", "EvictV1": "create", "UpdateScale": "update", "GetScale": "get"}
	subs := map[string]string{"GetLogs": "/log", "EvictV1": "/eviction", "UpdateScale": "/scale", "GetScale": "/scale"}
	calls := 0
	require.NoError(t, filepath.WalkDir("../../scenarios", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		views := map[string]string{} // variable to the resource that it is a view of
		ast.Inspect(file, func(n ast.Node) bool {
			if assign, ok := n.(*ast.AssignStmt); ok {
				for i, right := range assign.Rhs {
					if resource := view(right); resource != "" && i < len(assign.Lhs) {
						views[name(assign.Lhs[i])] = resource
					}
				}
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			resource := view(method.X)
			if resource == "" {
				resource = views[name(method.X)]
			}
			if resource == "" || !apiVerb.MatchString(method.Sel.Name) {
				return true
			}
			verb := verbs[method.Sel.Name]
			if verb == "" {
				verb = strings.ToLower(method.Sel.Name)
			}
			calls++
			require.True(t, has(needs, verb, resource+subs[method.Sel.Name]), "%s: %s %s is not among the scenario's rights",
				path, verb, resource+subs[method.Sel.Name])
			return true
		})
		return nil
	}))
	require.Greater(t, calls, 15, "the sources were read")
}

var apiVerb = regexp.MustCompile(`^(Get|List|Watch|Create|Update|Patch|Delete|GetLogs|EvictV1|UpdateScale|GetScale)$`)

var group = regexp.MustCompile(`^[A-Z][A-Za-z]*V[0-9]+$`)

// view is the resource of a view such as Kube.CoreV1().Pods(namespace); "" of anything else.
func view(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return ""
	}
	resource, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	inner, ok := resource.X.(*ast.CallExpr)
	if !ok {
		return ""
	}
	version, ok := inner.Fun.(*ast.SelectorExpr)
	if !ok || !group.MatchString(version.Sel.Name) || resource.Sel.Name == "RESTClient" {
		return ""
	}
	return strings.ToLower(resource.Sel.Name)
}

func name(e ast.Expr) string {
	if ident, ok := e.(*ast.Ident); ok {
		return ident.Name
	}
	return ""
}
