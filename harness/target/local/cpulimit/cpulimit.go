// Package cpulimit limits processes to a share of the CPUs the way the kubelet limits a container:
// by a control group with a CFS quota.
package cpulimit

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

// Group is a control group of our own. With a quota it throttles as a container's CPU limit does.
type Group struct {
	dir   string
	quota string // file
	write func(cores float64) string
	cores float64 // 0 is no limit
}

var groups atomic.Int64 //nolint:gochecknoglobals // numbers the groups of this process

// New makes a group below the root of the hierarchy, cgroup v1 or v2, with a limit of some cores,
// 0 for none. Remove it when done. The error is of code exit.Environment: it takes root, and a cpu
// controller that can be written.
func New(cores float64) (*Group, error) {
	g := &Group{quota: "cpu.cfs_quota_us", write: func(cores float64) string { return quota(cores, "-1") }}
	root := "/sys/fs/cgroup/cpu"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		root, g.quota = "/sys/fs/cgroup", "cpu.max"
		g.write = func(cores float64) string { return fmt.Sprintf("%s %d", quota(cores, "max"), cfsPeriod) }
	}
	g.dir = filepath.Join(root, fmt.Sprintf("steamer-%d-%d", os.Getpid(), groups.Add(1)))
	err := os.Mkdir(g.dir, 0o755)
	if err == nil && g.quota != "cpu.max" {
		err = os.WriteFile(filepath.Join(g.dir, "cpu.cfs_period_us"), []byte(strconv.Itoa(cfsPeriod)), 0o644)
	}
	if err == nil {
		err = g.Set(cores)
	}
	if err != nil {
		g.Remove()
		return nil, unwritable(err)
	}
	return g, nil
}

func unwritable(err error) error {
	return exit.Environmentf("CPU limit", "run as root where the cpu controller of /sys/fs/cgroup can be written", "%w",
		err)
}

// quota is the CPU time of a period in microseconds, or the word for no limit.
func quota(cores float64, none string) string {
	if cores == 0 {
		return none
	}
	return strconv.Itoa(int(cores * cfsPeriod))
}

// Set changes the limit from now on: 0.01 cores or more, or 0 for none.
func (g *Group) Set(cores float64) error {
	if !(cores == 0 || cores >= 0.01 && cores <= 1024) {
		return exit.Invalidf(fmt.Sprintf("CPU limit %g", cores), "use 0.01 to 1024 cores, or 0 for none",
			"it is out of range")
	}
	if err := os.WriteFile(filepath.Join(g.dir, g.quota), []byte(g.write(cores)), 0o644); err != nil {
		return unwritable(err)
	}
	g.cores = cores
	return nil
}

// Cores is the limit, 0 for none.
func (g *Group) Cores() float64 { return g.cores }

// String says what limits.
func (g *Group) String() string {
	if g.cores == 0 {
		return "no limit on OpenBao's control group"
	}
	return fmt.Sprintf("a CFS quota of %g cores on OpenBao's control group", g.cores)
}

// Add moves a process with all its threads into the group.
func (g *Group) Add(pid int) error {
	if err := os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
		return exit.Environmentf("CPU limit", "run as root", "%w", err)
	}
	return nil
}

// Periods counts the CFS periods in which the group ran, and those in which it was throttled.
func (g *Group) Periods() (all, throttled float64) {
	file, err := os.Open(filepath.Join(g.dir, "cpu.stat"))
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

// Remove removes the group, which has to be empty.
func (g *Group) Remove() {
	if err := os.Remove(g.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return // a process is still ending in it; the group limits nothing else
	}
}
