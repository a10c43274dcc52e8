package compare

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/secret"
)

// Files are what WriteAll leaves in a directory.
const (
	JSONFile     = "comparison.json"
	MarkdownFile = "comparison.md"
	BenchA       = "a.bench.txt"
	BenchB       = "b.bench.txt"
)

// WriteAll writes the comparison and its reports into dir.
func WriteAll(dir string, c *Comparison) error {
	c = secret.Scrub(c)
	err := WriteFile(filepath.Join(dir, JSONFile), c)
	for name, print := range map[string]func(io.Writer) error{
		MarkdownFile: func(w io.Writer) error { return Markdown(w, c) },
		BenchA:       func(w io.Writer) error { return Benchmarks(w, c, A) },
		BenchB:       func(w io.Writer) error { return Benchmarks(w, c, B) },
	} {
		var b bytes.Buffer
		if printErr := print(&b); printErr != nil {
			err = errors.Join(err, printErr)
			continue
		}
		err = errors.Join(err, writeWhole(filepath.Join(dir, name), b.Bytes()))
	}
	return err
}
