package cluster

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// ownerPath is where the owner mark is mounted in every node of a cluster that Steamer made. A
// container without this mount is not ours, whatever its name.
const ownerPath = "/kind/steamer-owner.json"

// Owner is the mark on a cluster: who made it and until when it is wanted.
type Owner struct {
	Name     string        `json:"name"`
	Run      string        `json:"run"` // ID of the run that made it
	PID      int           `json:"pid"` // of the steamer process that made it
	Created  time.Time     `json:"created"`
	TTL      time.Duration `json:"ttl"` // after this, cluster gc removes it
	HostPort int           `json:"hostPort"`
	Keep     bool          `json:"keep"` // meant to outlive its run
}

// Expired reports whether the cluster may be removed: its time is over, or the run that made it is gone and did not mean to keep it.
func (o Owner) Expired(now time.Time) bool {
	if now.After(o.Created.Add(o.TTL)) {
		return true
	}
	return !o.Keep && !running(o.PID)
}

func running(pid int) bool {
	_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
	return err == nil
}

// registry is the directory of owner marks and kubeconfigs of this machine's clusters.
type registry struct{ dir string }

func (r registry) mark(name string) string       { return filepath.Join(r.dir, name+".json") }
func (r registry) kubeconfig(name string) string { return filepath.Join(r.dir, name+".kubeconfig") }

func (r registry) write(o Owner) error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(r.mark(o.Name), data, 0o600) // in place: the file is mounted in the nodes
}

func (r registry) read(path string) (Owner, error) {
	var o Owner
	data, err := os.ReadFile(path)
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(data, &o)
}

func (r registry) forget(name string) error {
	var failures []error
	for _, path := range []string{r.mark(name), r.kubeconfig(name), r.kubeconfig(name) + ".lock"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}
