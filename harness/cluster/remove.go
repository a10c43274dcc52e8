package cluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/wait"
)

// remove removes exactly the containers that carried a mark of mine when it was read, by their
// IDs: a name may be another's by now.
func (k *Kind) remove(ctx context.Context, f Found) error {
	if f.Whose != Mine {
		return f.refusal("it is left alone")
	}
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	_, err := wait.Until(ctx, wait.For{
		What: "the cluster's containers are removed", Interval: time.Second,
		Deadline: deleteTimeout,
	}, func(ctx context.Context) error {
		return k.removeContainers(ctx, f.containers)
	})
	if err != nil {
		return exit.Environmentf("cluster "+f.Name, "steamer cluster gc tries again", "%w", err)
	}
	return errors.Join(k.removeNetwork(ctx), k.registry.forget(*f.Owner))
}

// removeContainers removes containers by their IDs. It is no error if another process has removed
// them meanwhile.
func (k *Kind) removeContainers(ctx context.Context, ids []string) error {
	_, err := k.engine.Run(ctx, append([]string{"rm", "--force", "--volumes"}, ids...)...)
	if err == nil {
		return nil
	}
	there, listErr := k.containers(ctx)
	left := slices.ContainsFunc(there, func(c container) bool { return slices.Contains(ids, c.ID) })
	if !left && listErr == nil {
		return nil
	}
	return errors.Join(err, listErr, thaw(freezers, ids))
}

// freezers is where cgroup v1 has the freezer. In cgroup v2 a kill reaches what is frozen.
const freezers = "/sys/fs/cgroup/freezer"

// thaw wakes whatever is frozen in containers, by their IDs, that are being removed. With cgroup
// v1 the runc in a node freezes a pod for the moment in which it sets the pod's device rules. A
// node that is killed in that moment leaves the pod frozen; what is frozen never ends, and neither
// does the node. Only root may do it.
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
