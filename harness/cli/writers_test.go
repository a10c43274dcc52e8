package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// elsewhere are the source files that make files which are no report of what was done, and why no
// secret leaves by them.
func elsewhere() map[string]string {
	return map[string]string{
		"document/write.go":                 "writes what secret.Clean returns, beside its place",
		"secret/file.go":                    "the one writer",
		"session/proxy.go":                  "sockets, no files",
		"session/lab.go":                    "tries whether a file can be written",
		"campaign/merge.go":                 "the merged interval log: numbers",
		"history/recorder.go":               "numbers, words, the workload's own tokens and lines of logs without secrets, for the owner alone",
		"faults/sink.go":                    "OpenBao's own audit records, to the log that they are for, removed with it",
		"load/pods/runner.go":               "the merged interval log: numbers",
		"load/testrun/write.go":             "the manifests that somebody asked for; the one with tokens is for the owner alone",
		"target/local/localbao/node.go":     "OpenBao's own configuration, for the owner alone, removed with it",
		"target/local/localbao/postgres.go": "password files of PostgreSQL and PgBouncer, for the owner alone, removed with them",
		"target/local/localbao/server.go":   "OpenBao's own key file, for the owner alone, removed with it",
		"target/local/localbao/tls.go":      "OpenBao's own key file, for the owner alone, removed with it",
		"images/cache.go":                   "images: programs and packages",
		"images/debian_versions.go":         "versions of Debian packages",
		"images/layer.go":                   "images: programs and packages",
		"images/lock.go":                    "an empty lock",
		"images/node.go":                    "images: programs and packages",
		"images/transfer.go":                "images: programs and packages",
		"engine/daemon_linux.go":            "dockerd's configuration and log, for the owner alone",
		"engine/home_linux.go":              "the mark of the private engine, for the owner alone",
		"engine/lock_linux.go":              "an empty lock",
		"engine/namespace_linux.go":         "an empty file, and memory of the process",
		"engine/netns_linux.go":             "an empty file that a network namespace is pinned to",
		"engine/ociruntime/ociruntime.go":   "a container's specification, where the engine put it and with its mode",
		"cluster/registry.go":               "the mark of a cluster, for the owner alone",
		"chart/lint.go":                     "a copy of the chart to lint",
		"chart/package.go":                  "the chart's archive",
		"chart/sign.go":                     "the chart's signature",
		"mutation/mutant.go":                "a copy of the chart with a defect",
		"target/local/cpulimit/cpulimit.go": "the kernel's files",
		"cluster/remove.go":                 "the kernel's files",
		"chart/release/provenance.go":       "a release of Steamer",
		"chart/release/release.go":          "a release of Steamer",
		"chart/release/tree.go":             "a release of Steamer",
	}
}

// TestEveryWriterIsKnown: whoever writes a file either does it by package secret or document, and
// then a canary is sent through it, or is in elsewhere.
func TestEveryWriterIsKnown(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for name := range writers("") {
		file, _, _ := strings.Cut(name, " ")
		known[file] = true
	}
	var through, beside []string
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if _, statErr := os.Stat(filepath.Join(path, "go.mod")); statErr == nil || entry.Name() == "testdata" ||
				strings.HasSuffix(entry.Name(), "test") {
				return fs.SkipDir // programs of images, and helpers of tests
			}
			return nil
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, "../"))
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			from, _ := call.X.(*ast.Ident)
			switch {
			case from != nil && slices.Contains([]string{"secret", "document", "codec"}, from.Name) &&
				slices.Contains([]string{"WriteFile", "Clean"}, call.Sel.Name):
				through = append(through, name)
			case from != nil && from.Name == "os" && slices.Contains([]string{
				"WriteFile", "Create", "CreateTemp", "OpenFile",
				"NewFile", "Link", "CopyFS",
			}, call.Sel.Name),
				call.Sel.Name == "Save" && plots(file), slices.Contains([]string{"WriteToFile", "MultiWriteToFile"}, call.Sel.Name):
				beside = append(beside, name)
			}
			return true
		})
		return nil
	}))
	slices.Sort(through)
	require.Equal(t, slices.Sorted(maps.Keys(known)), slices.Compact(through),
		"a writer without a canary, or one that is gone")
	slices.Sort(beside)
	require.Equal(t, slices.Sorted(maps.Keys(elsewhere())), slices.Compact(beside),
		"a file that is written past package secret, or one that is gone")
}
