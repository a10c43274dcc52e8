package attack_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// root is that of the source tree.
const root = "../../.."

// rules are the IDs of docs/verdict.md, in order.
func rules(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/verdict.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## The rules\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var ids []string
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|").FindAllStringSubmatch(section, -1) {
		require.NotContains(t, ids, match[1], "two rules have one ID")
		ids = append(ids, match[1])
	}
	require.NotEmpty(t, ids)
	return ids
}

// TestEveryRuleIsAttacked: what docs/verdict.md says the judge does, an attack needs it to do; and
// no attack names a rule that is not written down.
func TestEveryRuleIsAttacked(t *testing.T) {
	t.Parallel()
	known, named := rules(t), map[string]bool{}
	for _, a := range attacks() {
		for _, id := range strings.Fields(a.rules) {
			named[id] = true
			require.Contains(t, known, id, "attack %q names a rule that docs/verdict.md does not have", a.name)
		}
	}
	for _, id := range known {
		require.True(t, named[id], "no attack needs the rule %s", id)
	}
}

// TestRulesCanBeTakenOut: hack/prove-judge knows how to take each rule out, and the text that it
// takes out is there.
func TestRulesCanBeTakenOut(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/rules.yaml")
	require.NoError(t, err)
	var edits []struct{ Rule, File, Old, New, Test, In string }
	require.NoError(t, yaml.UnmarshalStrict(raw, &edits))
	known := rules(t)
	for _, e := range edits {
		require.Contains(t, known, e.Rule)
		source, err := os.ReadFile(filepath.Join(root, e.File))
		require.NoError(t, err, e.Rule)
		require.Equal(
			t,
			1,
			strings.Count(string(source), e.Old),
			"%s: adapt testdata/rules.yaml to %s, then run hack/prove-judge: %s",
			e.Rule,
			e.File,
			e.Old,
		)
		require.NotEqual(t, e.Old, e.New, e.Rule)
	}
	for _, id := range known {
		require.True(
			t,
			slices.ContainsFunc(edits, func(e struct{ Rule, File, Old, New, Test, In string }) bool { return e.Rule == id }),
			"nothing takes the rule %s out",
			id,
		)
	}
}
