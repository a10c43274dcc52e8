package trend

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// ToAdd reads the results to add to a directory: all of them, or on bad input none. Errors are of
// code exit.Invalid.
func ToAdd(dir string, files []string) ([]*result.Result, error) {
	if _, err := os.Stat(dir); err == nil && len(files) > 0 {
		if _, err := Read(dir); err != nil && !errors.Is(err, ErrEmpty) {
			return nil, err
		}
	}
	var list []*result.Result
	for _, path := range files {
		r, err := result.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := Free(dir, r); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(other *result.Result) bool { return other.Run.ID == r.Run.ID }) {
			return nil, exit.Invalidf("--add "+path, "name each result once", "run %s is named twice", r.Run.ID)
		}
		list = append(list, r)
	}
	return list, nil
}

// Write writes a page and a plot of each series into an existing directory; format is that of the
// plots.
func Write(dir, format string, list []Series) error {
	list = secret.Scrub(list)
	for _, s := range list {
		if len(s.Points) < 2 {
			continue
		}
		if err := Plot(dir, format, s); err != nil {
			return err
		}
	}
	var page bytes.Buffer
	if err := Markdown(&page, list, func(s Series) string { return PlotFile(s, format) }); err != nil {
		return err
	}
	if err := secret.WriteFile(filepath.Join(dir, PageFile), page.Bytes(), secret.Public); err != nil {
		return exit.Environmentf("--output-dir "+dir, "make it writable", "%w", err)
	}
	return nil
}

// PageFile is the name of the page that Write writes.
const PageFile = "trends.md"
