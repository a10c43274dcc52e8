package trend

import (
	"errors"
	"os"
	"slices"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
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
		if err := free(dir, r); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(other *result.Result) bool { return other.Run.ID == r.Run.ID }) {
			return nil, exit.Invalidf("--add "+path, "name each result once", "run %s is named twice", r.Run.ID)
		}
		list = append(list, r)
	}
	return list, nil
}
