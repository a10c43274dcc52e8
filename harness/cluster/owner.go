package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// ownerPath is where the owner mark is mounted in every node of a cluster that Steamer made. A
// container without this mount is not ours, whatever its name.
const ownerPath = "/kind/steamer-owner.json"

// Owner is the mark on a cluster: who made it and until when it is wanted.
type Owner struct {
	Name     string        `json:"name"`
	Run      string        `json:"run"`               // ID of the run that made it
	PID      int           `json:"pid"`               // of the steamer process that made it
	Process  string        `json:"process,omitempty"` // see processOf; tells that process from a later one with its PID
	Created  time.Time     `json:"created"`
	TTL      time.Duration `json:"ttl"` // after this, cluster gc removes it
	HostPort int           `json:"hostPort"`
	// SecondPort is the loopback port of a comparison's other side; 0 where there is none.
	SecondPort int  `json:"secondPort,omitempty"`
	Keep       bool `json:"keep"` // meant to outlive its run
}

// Expired reports whether the cluster may be removed: its time is over, or the run that made it is gone and did not mean to keep it.
func (o Owner) Expired(now time.Time) bool {
	if now.After(o.Created.Add(o.TTL)) {
		return true
	}
	return !o.Keep && !o.running()
}

func (o Owner) running() bool {
	process, err := processOf(o.PID)
	return err == nil && (o.Process == "" || o.Process == process)
}

// startTime is the place of a process's start, in clock ticks since the boot, among the fields of /proc/PID/stat that follow the command's
// name (proc(5): field 22, the name is field 2).
const startTime = 22 - 3

// processOf identifies a running process for good: numbers come back, after a reboot very soon, but not with the same boot and start.
func processOf(pid int) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // the name itself may hold anything
	if len(fields) <= startTime {
		return "", fmt.Errorf("/proc/%d/stat has %d fields after the name", pid, len(fields))
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[startTime], nil
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

// Marked returns the names of the clusters that the owner marks in dir know, whether an engine runs or not.
func Marked(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	for i := range files {
		files[i] = strings.TrimSuffix(filepath.Base(files[i]), ".json")
	}
	return files, err
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
