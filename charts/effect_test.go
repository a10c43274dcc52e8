package charts_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/chart"
)

// leaves lists the paths of the values that have none below them, and the values.
func leaves(tree map[string]any, at string) map[string]any {
	all := map[string]any{}
	for key, value := range tree {
		below, isMap := value.(map[string]any)
		switch {
		case isMap && len(below) > 0:
			maps.Copy(all, leaves(below, at+key+"."))
		default:
			all[at+key] = value
		}
	}
	return all
}

// other is a valid value that differs from the default.
func (tr trial) other(t *testing.T, key string, value any) any {
	t.Helper()
	if change, ok := tr.changes[key]; ok {
		var to any
		require.NoError(t, yaml.Unmarshal([]byte(change.to), &to))
		return to
	}
	switch value := value.(type) {
	case bool:
		return !value
	case float64:
		return value + 1
	case string:
		return value + "x"
	case []any:
		return []any{map[string]any{"name": "x"}}
	case map[string]any:
		return map[string]any{"x": "y"}
	}
	t.Fatalf("say in trials_test.go what to set %s to: its default is %v", key, value)
	return nil
}

// before is what to compare a changed key with: the base and what the key needs.
func (tr trial) before(t *testing.T, base map[string]any, key string) map[string]any {
	t.Helper()
	for prefix, values := range tr.needed {
		if strings.HasPrefix(key, prefix) && key != prefix+"enabled" {
			with, err := chart.ParseValues(prefix, []byte(values))
			require.NoError(t, err)
			base = chart.Merge(base, with)
		}
	}
	return base
}

// nest is the values tree with one leaf.
func nest(key string, value any) map[string]any {
	steps := strings.Split(key, ".")
	for _, step := range slices.Backward(steps) {
		value = map[string]any{step: value}
	}
	return value.(map[string]any)
}

// TestEveryValueHasAnEffect changes each value of each values.yaml alone: the rendered objects
// have to change with it, or it has to be refused. A key that no template reads, and one that is
// new and not tried here, fails.
func TestEveryValueHasAnEffect(t *testing.T) {
	t.Parallel()
	for name, tr := range trials {
		loaded, err := chart.Load(name)
		require.NoError(t, err)
		defaults, err := chart.ReadValues(name + "/values.yaml")
		require.NoError(t, err)
		base := map[string]any{}
		if tr.base != "" {
			base, err = chart.ReadValues(tr.base)
			require.NoError(t, err)
			delete(base, "resources")
		}
		for key, value := range leaves(defaults, "") {
			t.Run(name+"/"+key, func(t *testing.T) {
				t.Parallel()
				before := tr.before(t, base, key)
				first, err := renderAll(loaded, before)
				require.NoError(t, err)
				second, err := renderAll(loaded, chart.Merge(before, nest(key, tr.other(t, key, value))))
				if refusal := tr.changes[key].refusal; refusal != "" {
					require.ErrorContains(t, err, refusal)
					return
				}
				require.NoError(t, err)
				if first == second { // not require.NotEqual, which would print both
					t.Fatalf("no template reads %s", key)
				}
			})
		}
		for key := range tr.changes {
			require.Contains(t, leaves(defaults, ""), key, "trials_test.go names a value that chart %s does not have", name)
		}
	}
}

// renderAll is everything the chart makes but its notes, without what is random.
func renderAll(loaded *chart.Chart, values map[string]any) (string, error) {
	files, err := loaded.Render(chart.Rendering{Release: release, Namespace: namespace}, values)
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, "NOTES.txt") {
			fmt.Fprintf(&all, "--- %s\n%s\n", name, withoutKeys(files[name]))
		}
	}
	return all.String(), nil
}

// TestEveryValueHasASchema gives each value of each values.yaml a type it cannot have.
func TestEveryValueHasASchema(t *testing.T) {
	t.Parallel()
	for name, tr := range trials {
		loaded, err := chart.Load(name)
		require.NoError(t, err)
		defaults, err := chart.ReadValues(name + "/values.yaml")
		require.NoError(t, err)
		for key, value := range leaves(defaults, "") {
			if slices.ContainsFunc(tr.freeForm, func(prefix string) bool { return strings.HasPrefix(key, prefix+".") }) {
				continue
			}
			var wrong any = map[string]any{"x": map[string]any{}}
			if _, isMap := value.(map[string]any); isMap {
				wrong = 7
			}
			_, err := loaded.Render(chart.Rendering{Release: release, Namespace: namespace}, nest(key, wrong))
			require.ErrorContains(t, err, "schema", key)
			require.ErrorContains(t, err, "/"+strings.ReplaceAll(key, ".", "/"), key)
		}
	}
}
