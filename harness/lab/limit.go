package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"gitlab.com/steamer/steamer/harness/exit"
)

// cfsPeriod is the kernel's default period in microseconds, which the kubelet uses too.
const cfsPeriod = 100_000

// cpuLimit is a control group of our own with a CFS quota, which throttles as a container's CPU limit does.
type cpuLimit struct {
	dir   string
	cores float64
}

var limits atomic.Int64 //nolint:gochecknoglobals // numbers the groups of this process

// newCPULimit makes the group below the root of the hierarchy, cgroup v1 or v2. cores must be positive.
func newCPULimit(cores float64) (*cpuLimit, error) {
	root, files := "/sys/fs/cgroup/cpu", map[string]string{
		"cpu.cfs_period_us": strconv.Itoa(cfsPeriod), "cpu.cfs_quota_us": strconv.Itoa(int(cores * cfsPeriod)),
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		root, files = "/sys/fs/cgroup", map[string]string{"cpu.max": fmt.Sprintf("%d %d", int(cores*cfsPeriod), cfsPeriod)}
	}
	l := &cpuLimit{cores: cores, dir: filepath.Join(root, fmt.Sprintf("steamer-%d-%d", os.Getpid(), limits.Add(1)))}
	err := os.Mkdir(l.dir, 0o755)
	for name, value := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(l.dir, name), []byte(value), 0o644)
		}
	}
	if err != nil {
		l.remove()
		return nil, exit.Environmentf("CPU limit", "run as root where the cpu controller of /sys/fs/cgroup can be written", "%w", err)
	}
	return l, nil
}

// String says what limits.
func (l *cpuLimit) String() string {
	return fmt.Sprintf("a CFS quota of %g cores on OpenBao's control group", l.cores)
}

// add moves a process with all its threads into the group.
func (l *cpuLimit) add(pid int) error {
	if err := os.WriteFile(filepath.Join(l.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
		return exit.Environmentf("CPU limit", "run as root", "%w", err)
	}
	return nil
}

// periods counts the CFS periods in which the group ran, and those in which it was throttled.
func (l *cpuLimit) periods() (all, throttled float64) {
	file, err := os.Open(filepath.Join(l.dir, "cpu.stat"))
	if err != nil {
		return 0, 0
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil:
		case name == "nr_periods":
			all = n
		case name == "nr_throttled":
			throttled = n
		}
	}
	return all, throttled
}

// remove removes the group, which has to be empty.
func (l *cpuLimit) remove() {
	if err := os.Remove(l.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return // a process is still ending in it; the group limits nothing else
	}
}
