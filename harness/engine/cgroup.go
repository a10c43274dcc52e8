package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// nestRounds bounds how often processes are moved: each may have made another one meanwhile.
const nestRounds = 10

// nestCgroups makes room for a daemon's containers in a cgroup v2 hierarchy whose root is a
// container's: inside a privileged CI job the job's processes sit in that root, and a cgroup with
// processes in it cannot hand controllers down ("no internal processes", cgroups(7)), so that the
// first container would fail. The processes move to a leaf named init, then all controllers are
// enabled, as the entrypoint of Docker's dind image does.
//
// On cgroup v1, and at the root of the machine's own hierarchy, where the kernel has no file
// cgroup.type and allows both, it does nothing. write has the signature of os.WriteFile.
func nestCgroups(root string, write func(name string, data []byte, mode os.FileMode) error) error {
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // v1
	}
	if err != nil {
		return fmt.Errorf("cgroup v2: %w", err)
	}
	if _, err := os.Stat(filepath.Join(root, "cgroup.type")); errors.Is(err, fs.ErrNotExist) {
		return nil // the machine's own root
	}
	enabled, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control"))
	if err != nil {
		return fmt.Errorf("cgroup v2: %w", err)
	}
	missing := lacking(string(enabled), string(controllers))
	if len(missing) == 0 {
		return nil
	}
	leaf := filepath.Join(root, "init")
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return fmt.Errorf("cgroup v2: %w", err)
	}
	for range nestRounds {
		data, err := os.ReadFile(filepath.Join(root, "cgroup.procs"))
		if err != nil {
			return fmt.Errorf("cgroup v2: %w", err)
		}
		pids := strings.Fields(string(data))
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids { // the kernel takes one for each write
			// One that has ended meanwhile is refused, and one that cannot be moved makes the last
			// step fail, with the kernel's reason.
			_ = write(filepath.Join(leaf, "cgroup.procs"), []byte(pid), 0o644)
		}
	}
	if err := write(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+strings.Join(missing, " +")),
		0o644); err != nil {
		return fmt.Errorf("cgroup v2: controllers %s cannot be handed down: %w", strings.Join(missing, ", "), err)
	}
	return nil
}

// lacking lists the words of want that have does not have.
func lacking(have, want string) []string {
	there := map[string]bool{}
	for _, word := range strings.Fields(have) {
		there[word] = true
	}
	var missing []string
	for _, word := range strings.Fields(want) {
		if !there[word] {
			missing = append(missing, word)
		}
	}
	return missing
}
