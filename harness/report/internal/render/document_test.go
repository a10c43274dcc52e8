package render

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocument writes one document in both forms. What comes from outside has no form and no
// structure in either.
func TestDocument(t *testing.T) {
	t.Parallel()
	const outside = "a|b\n# <b>c</b> `d` *e* @f \x1b[31m"
	d := &Document{}
	d.Title(2, "%s", outside)
	d.Section("pool", "The pool")
	d.Say("See %s, %s: %s", ToSection("pool", "pool"), Literal("run | `it`"), Strong(outside))
	d.List()
	d.List(outside, "two")
	table := Table{Head: []string{"one", "two"}}
	table.Add(outside, Literal("x"))
	d.Table(table)
	d.Picture("a picture", "a.png")

	const safe = "a\\|b # &lt;b&gt;c&lt;/b&gt; \\`d\\` \\*e\\* @\u200bf \uFFFD\\[31m"
	require.Equal(t, strings.Join([]string{
		"## " + safe, `<a id="pool"></a>`, "## The pool", "See [pool](#pool), `run \\| 'it'`: **" + safe + "**",
		"- " + safe + "\n- two", "| one | two |\n|---|---|\n| " + safe + " | `x` |", "![a picture](a.png)",
	}, "\n\n")+"\n", d.Markdown())

	const plain = "a|b # <b>c</b> `d` *e* @f \uFFFD[31m"
	var b strings.Builder
	require.NoError(t, d.Text(&b))
	require.Equal(t, strings.Join([]string{
		plain, "The pool", "See pool (pool), run | `it`: " + plain, "  - " + plain + "\n  - two",
		"one" + strings.Repeat(" ", len([]rune(plain))-1) + "two\n" + plain + "  x",
	}, "\n\n")+"\n", b.String())
}
