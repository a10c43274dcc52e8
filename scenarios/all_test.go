package scenarios_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

func TestAllIsSound(t *testing.T) {
	t.Parallel()
	require.NoError(t, scenario.Validate(scenarios.All()))
	require.Greater(t, len(scenarios.All()), 200)
}

// TestSubjects: the server's scenarios need no cluster, and what does is not the server's.
func TestSubjects(t *testing.T) {
	t.Parallel()
	env := &scenario.Env{Issuer: &gitlab.Issuer{}, AuditFile: "audit.log"} // as on processes
	count := map[result.Subject]int{}
	for _, s := range scenarios.All() {
		count[s.Subject]++
		if s.Subject == scenario.SubjectServer {
			require.Empty(t, env.Skip(s), s.ID)
		}
		if s.Subject == scenario.SubjectGitLab {
			require.Contains(t, s.Features, scenario.FeatureStack, s.ID)
		}
	}
	for _, subject := range scenario.Subjects() {
		require.GreaterOrEqual(t, count[subject], 10, subject)
	}
}

// TestChartScenariosHaveMutants: each scenario about the chart can fail, or the list says why no
// mutant shows it. An entry that is no longer needed is a failure, too.
func TestChartScenariosHaveMutants(t *testing.T) {
	t.Parallel()
	mutants, err := mutation.Read("..", scenarios.All())
	require.NoError(t, err)
	noticed := map[string]bool{}
	for _, m := range mutants {
		for _, id := range m.Caught {
			noticed[id] = true
		}
	}
	raw, err := os.ReadFile("testdata/without-mutant.json")
	require.NoError(t, err)
	var without map[string]string
	require.NoError(t, json.Unmarshal(raw, &without))
	for _, s := range scenarios.All() {
		if s.Subject != scenario.SubjectChart {
			continue
		}
		require.Equal(t, !noticed[s.ID], without[s.ID] != "", "%s: noticed %t, exception %q", s.ID, noticed[s.ID],
			without[s.ID])
		delete(without, s.ID)
	}
	require.Empty(t, without, "exceptions for no scenario about the chart")
}

// TestIDsAreFound wants each ID as a literal where its scenario or row stands, and nowhere else,
// so that a search for it leads there. A file with one scenario has the scenario's name.
func TestIDsAreFound(t *testing.T) {
	t.Parallel()
	files := literals(t)
	inFile := map[string][]string{}
	for _, s := range scenarios.All() {
		require.Len(t, files[s.ID], 1, "files with the literal %q", s.ID)
		inFile[files[s.ID][0]] = append(inFile[files[s.ID][0]], s.ID)
	}
	for file, ids := range inFile {
		require.Equal(t, path.Dir(ids[0]), path.Dir(file), "directory of %s", ids[0])
		if len(ids) == 1 {
			require.Equal(t, strings.ReplaceAll(ids[0], "-", "_")+".go", file, "file of the one scenario %s", ids[0])
		}
	}
}

// literals returns the files that hold a string literal, tests left out: a file for each time.
func literals(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					found[text] = append(found[text], filepath.ToSlash(name))
				}
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	return found
}

// TestDurations: what disturbs takes long enough to be recorded, so that shards are dealt out by
// more than a guess. hack/durations writes the file.
func TestDurations(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios.All() {
		require.Positive(t, s.Expected, s.ID)
		if strings.HasPrefix(s.ID, "lifecycle/") {
			require.NotEqual(t, 20*time.Second, s.Expected, "%s has no entry in durations.yaml", s.ID)
		}
	}
}
