package images

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// key is a content address: a hash over the strings, the Go version and architecture that
// compile, and the names and contents of the inputs under Root.
// Tests, documents and data beside a program do not change what is built and are left out.
func (b *Builder) key(parts []string, inputs ...string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOARCH)
	for _, part := range parts {
		fmt.Fprintf(sum, "%q\n", part)
	}
	for _, input := range inputs {
		err := filepath.WalkDir(filepath.Join(b.Root, input), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			relative, err := filepath.Rel(b.Root, path)
			if err != nil || !decides(relative) {
				return err
			}
			return hashFile(sum, relative, path)
		})
		if err != nil {
			return "", fmt.Errorf("content address of %s: %w", input, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

func hashFile(sum io.Writer, relative, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	fmt.Fprintf(sum, "%q\n", filepath.ToSlash(relative))
	_, err = io.Copy(sum, file)
	return err
}

// decides reports whether a file, by its path under the root, can change what is built from its
// directory.
func decides(path string) bool {
	switch filepath.Ext(path) {
	case ".md", ".yaml", ".js", ".json", ".ts":
		return false
	}
	return !strings.HasSuffix(path, "_test.go") && !strings.Contains(filepath.ToSlash(path), "/testdata/")
}
