package render

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/document"
)

// WriteFile writes what a report prints to the file at path, see document.WriteFile.
func WriteFile(path string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return document.WriteFile(path, b.Bytes())
}

// WriteFile writes the document in Markdown to the file at path.
func (d *Document) WriteFile(path string) error {
	return document.WriteFile(path, []byte(d.Markdown()))
}
