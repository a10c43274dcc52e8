// Package cgroup reads what the control group of this process, or of a container that it runs in,
// leaves it: CPU, memory, and how often it was held back. A job of CI may have two of a machine's
// 64 CPUs, which neither runtime.NumCPU nor /proc/stat tells. It reads cgroup v1 and v2.
package cgroup

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// Group is a control group with all above it that can be seen.
type Group struct {
	files  fs.FS
	cpu    hierarchy
	memory hierarchy
}

// hierarchy is where a controller keeps a group and those above it.
type hierarchy struct {
	v2   bool
	dirs []string // from the group itself upwards, without a leading slash
}

// Own is the group of this process. An error says that /proc or /sys/fs/cgroup cannot be read, as
// on other systems than Linux.
func Own() (*Group, error) { return open(os.DirFS("/")) }

// open reads the group of the process "self" of a file system.
func open(files fs.FS) (*Group, error) {
	groups, err := fs.ReadFile(files, "proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("control group of this process: %w", err)
	}
	mounts, err := fs.ReadFile(files, "proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("mounts of control groups: %w", err)
	}
	g := &Group{files: files}
	g.cpu = g.find("cpu", groups, mounts)
	g.memory = g.find("memory", groups, mounts)
	return g, nil
}

// find returns where a controller is: in a hierarchy of its own where there is one (v1), else in
// the unified one (v2).
func (g *Group) find(controller string, groups, mounts []byte) hierarchy {
	var unified, own string
	hasOwn := false
	for line := range strings.Lines(string(groups)) { // "4:cpu,cpuacct:/path", see cgroups(7); v2 is "0::/path"
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(fields) != 3:
		case fields[1] == "":
			unified = fields[2]
		case contains(fields[1], controller):
			own, hasOwn = fields[2], true
		}
	}
	h := hierarchy{v2: !hasOwn}
	group := own
	if h.v2 {
		group = unified
	}
	root, point, ok := mounted(mounts, controller, h.v2)
	if !ok {
		return h
	}
	// A bind mount shows the group as its root, and a namespace of its own names it from there.
	inside, below := strings.CutPrefix(group, strings.TrimSuffix(root, "/"))
	dir := path.Join(point, inside)
	if _, err := fs.Stat(g.files, dir); err != nil || !below || strings.Contains(group, "..") {
		dir = point
	}
	for {
		h.dirs = append(h.dirs, dir)
		if dir == point || dir == "." {
			return h
		}
		dir = path.Dir(dir)
	}
}

func contains(list, name string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one == name {
			return true
		}
	}
	return false
}

// mounted finds a controller's mount in mountinfo, see proc(5): ID, parent, device, root, mount
// point, options, optional fields, "-", type, source, options of the file system.
func mounted(mounts []byte, controller string, v2 bool) (root, point string, ok bool) {
	for line := range strings.Lines(string(mounts)) {
		head, tail, found := strings.Cut(line, " - ")
		before, after := strings.Fields(head), strings.Fields(tail)
		if !found || len(before) < 6 || len(after) < 3 {
			continue
		}
		if v2 && after[0] == "cgroup2" || !v2 && after[0] == "cgroup" && contains(after[2], controller) {
			return before[3], strings.TrimPrefix(before[4], "/"), true
		}
	}
	return "", "", false
}

// number reads the first line of a file as a number; "max" and what is not there are no number.
func (g *Group) number(name string) (float64, bool) {
	raw, err := fs.ReadFile(g.files, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(string(raw)), 64)
	return n, err == nil && n >= 0
}

// field reads the value of a key of a file of "key value" lines.
func (g *Group) field(name, key string) (float64, bool) {
	raw, err := fs.ReadFile(g.files, name)
	if err != nil {
		return 0, false
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		k, v, _ := strings.Cut(lines.Text(), " ")
		if strings.TrimSuffix(k, ":") != key {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 64)
		return n, err == nil && n >= 0
	}
	return 0, false
}

// quota is how many CPUs a group may use on the mean of a period; false where it has no limit of
// its own.
func (g *Group) quota(dir string) (float64, bool) {
	if !g.cpu.v2 {
		quota, ok := g.number(path.Join(dir, "cpu.cfs_quota_us")) // -1: none
		period, known := g.number(path.Join(dir, "cpu.cfs_period_us"))
		return quota / period, ok && known && quota > 0 && period > 0
	}
	raw, err := fs.ReadFile(g.files, path.Join(dir, "cpu.max")) // "200000 100000" or "max 100000"
	fields := strings.Fields(string(raw))
	if err != nil || len(fields) != 2 {
		return 0, false
	}
	quota, err1 := strconv.ParseFloat(fields[0], 64)
	period, err2 := strconv.ParseFloat(fields[1], 64)
	return quota / period, err1 == nil && err2 == nil && quota > 0 && period > 0
}

// tightest is the group on the way up with the smallest quota; false where none has one.
func (g *Group) tightest() (dir string, cpus float64, limited bool) {
	cpus = math.Inf(1)
	for _, d := range g.cpu.dirs {
		if q, ok := g.quota(d); ok && q < cpus {
			dir, cpus, limited = d, q, true
		}
	}
	return dir, cpus, limited
}

// CPUs is how many CPUs this process and its children can use at once on the mean: those of the
// machine that it may run on, which a cpuset bounds (runtime.NumCPU asks the kernel for them), and
// no more than the quota of its group and of those above. Above 0.
func (g *Group) CPUs() float64 {
	_, quota, _ := g.tightest()
	return math.Min(float64(runtime.NumCPU()), quota)
}

// Throttling counts the periods in which the group with the tightest quota ran, and those of them
// in which it was held back, since it was made. ok is false where no group has a quota, so that
// nothing is held back.
func (g *Group) Throttling() (periods, throttled float64, ok bool) {
	dir, _, limited := g.tightest()
	if !limited {
		return 0, 0, false
	}
	periods, known := g.field(path.Join(dir, "cpu.stat"), "nr_periods")
	throttled, counted := g.field(path.Join(dir, "cpu.stat"), "nr_throttled")
	return periods, throttled, known && counted
}

// AvailableMiB is how much more memory this process and its children can get before something is
// killed for it: what the machine has available (MemAvailable), and no more than what the limits
// of the group and of those above leave, file cache that can be dropped included. ok is false
// where the machine does not say.
func (g *Group) AvailableMiB() (mib float64, ok bool) {
	kib, ok := g.field("proc/meminfo", "MemAvailable")
	if !ok {
		return 0, false
	}
	available := kib * 1024
	names := [3]string{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}
	if g.memory.v2 {
		names = [3]string{"memory.max", "memory.current", "inactive_file"}
	}
	for _, dir := range g.memory.dirs {
		limit, limited := g.number(path.Join(dir, names[0]))
		used, known := g.number(path.Join(dir, names[1]))
		if !limited || !known {
			continue
		}
		cache, _ := g.field(path.Join(dir, "memory.stat"), names[2])
		available = math.Min(available, math.Max(0, limit-used+cache))
	}
	return available / (1 << 20), true
}

// UsableCPUs is CPUs of the group of this process, and all that it may run on where the group
// cannot be read.
func UsableCPUs() float64 {
	if g, err := Own(); err == nil {
		return g.CPUs()
	}
	return float64(runtime.NumCPU())
}
