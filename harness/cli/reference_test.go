package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/load/testrun"
	"gitlab.com/steamer/steamer/harness/mutation"
)

// TestOldFlags: what a command of an earlier release understood it understands today, if by
// another name, and takes a value of the same type.
func TestOldFlags(t *testing.T) {
	t.Parallel()
	root := Reference()
	root.InitDefaultCompletionCmd()
	list, err := os.ReadFile("testdata/flags-0.1.txt")
	require.NoError(t, err)
	count := 0
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		count++
		path, rest, _ := strings.Cut(strings.TrimSpace(line), " --")
		name, kind, _ := strings.Cut(rest, " ")
		c, left, err := root.Find(strings.Fields(path)[1:])
		require.NoError(t, err, line)
		require.Empty(t, left, line)
		_ = c.InheritedFlags() // adds those of the parents
		f := c.Flags().Lookup(name)
		require.NotNil(t, f, line)
		require.Equal(t, kind, documentedType(f.Value.Type()), line)
	}
	require.Greater(t, count, 300)
}

// documentedType is a flag's type as help shows it.
func documentedType(kind string) string {
	switch kind {
	case "float64":
		return "float"
	case "stringSlice":
		return "strings"
	case "boolfunc":
		return "bool"
	case "uint64":
		return "uint"
	}
	return kind
}

// TestHelp: every command has a summary without a full stop, an example, and flags below a title;
// and every text is of a command and names what the code has.
func TestHelp(t *testing.T) {
	t.Parallel()
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		require.NotEmpty(t, c.Short, c.CommandPath())
		require.False(t, strings.HasSuffix(c.Short, "."), c.CommandPath())
		require.Contains(t, c.Example, "steamer", c.CommandPath())
		if c.Runnable() && c.Name() != "help" && c.Args != nil {
			require.Equal(t, strings.Contains(c.Use, " "), c.Args(c, []string{"x"}) == nil,
				"%s: arguments that its first line names are taken, and no others", c.CommandPath())
		}
		for _, s := range Sections(c) {
			require.True(t, s.Title != "Flags" || !c.HasParent() || len(Sections(c)) < 3, "%s: a flag without a title",
				c.CommandPath())
		}
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(Reference())
	for line := range strings.Lines(texts) {
		if path, heads := strings.CutPrefix(strings.TrimSpace(line), "== "); heads {
			c, left, err := Reference().Find(strings.Fields(path)[1:])
			require.NoError(t, err, path)
			require.Equal(t, path, c.CommandPath(), left)
		}
	}
	for _, name := range []string{
		findings.Dir, mutation.Dir, "of tier " + sizingTier, "before " + testrun.SinceOperator, envSignKey, envSignPassphrase,
	} {
		require.Contains(t, texts, name)
	}
}
