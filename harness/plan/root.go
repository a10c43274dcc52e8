package plan

import (
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
)

// module is the first line of the go.mod at the root of the tree.
const module = "module gitlab.com/steamer/steamer"

// FindRoot returns the root of Steamer's source tree, from which charts, profiles, objectives and
// the modules that images are built from are read: root if it is not empty, else the nearest
// directory above the working directory or above the running program that holds Steamer's go.mod.
// It returns an exit.Invalid error where there is none.
func FindRoot(root string) (string, error) {
	if root != "" {
		if !isRoot(root) {
			return "", exit.Invalidf("--root "+root, "name the directory that holds Steamer's go.mod",
				"this is not Steamer's source tree")
		}
		return filepath.Abs(root)
	}
	starts := []string{}
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	if self, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(self))
	}
	for _, dir := range starts {
		for ; ; dir = filepath.Dir(dir) {
			if isRoot(dir) {
				return dir, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", exit.Invalidf("source tree", "run steamer inside its source tree, or pass --root DIR (or STEAMER_ROOT)",
		"no directory above %s holds Steamer's go.mod", strings.Join(starts, " or "))
}

func isRoot(dir string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line) == module
}
