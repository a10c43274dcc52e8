package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// freezers is where cgroup v1 has the freezer. In cgroup v2 a kill reaches what is frozen.
const freezers = "/sys/fs/cgroup/freezer"

// thaw wakes whatever is frozen in containers, by their IDs, that are being removed. With cgroup v1 the runc in a node freezes a pod for the moment
// in which it sets the pod's device rules. A node that is killed in that moment leaves the pod frozen; what is frozen
// never ends, and neither does the node. Only root may do it.
func thaw(root string, ids []string) error {
	var failures []error
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // no such controller, or a group that ended meanwhile
				return nil
			}
			return err
		}
		inside := slices.ContainsFunc(ids, func(id string) bool { return id != "" && strings.Contains(path, id) })
		if entry.Name() != "freezer.state" || !inside {
			return nil
		}
		state, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(state)) != "THAWED" {
			err = os.WriteFile(path, []byte("THAWED"), 0o644)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failures = append(failures, err)
		}
		return nil
	})
	return errors.Join(append(failures, err)...)
}
