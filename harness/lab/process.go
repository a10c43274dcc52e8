package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTicks is the unit of CPU times in /proc, per second: USER_HZ, 100 on every architecture that
// Go supports.
const clockTicks = 100

// counters are what a process, or a tree of them, has used.
type counters struct {
	cpu    float64 // seconds, user and system
	memory float64 // MiB: the resident set of one process, the private part of it for each process of a tree
}

// processUse reads one process.
func processUse(pid int) (counters, error) {
	s, err := readStat(pid)
	return counters{cpu: s.own, memory: float64(s.resident) / (1 << 20)}, err
}

// treeUse sums a process and its children, ended ones included: PostgreSQL has a process per
// connection, and their shared buffers would be counted once for each.
func treeUse(pid int) (counters, error) {
	parent, err := readStat(pid)
	if err != nil {
		return counters{}, err
	}
	sum := counters{cpu: parent.own + parent.reaped, memory: privateMiB(pid)}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return counters{}, err
	}
	for _, path := range stats {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		s, err := readStat(child)
		if err != nil || s.parent != pid {
			continue // it ended meanwhile, or is someone else's
		}
		sum.cpu += s.own + s.reaped
		sum.memory += privateMiB(child)
	}
	return sum, nil
}

// stat is what is used of /proc/PID/stat, see proc(5).
type stat struct {
	parent      int
	own, reaped float64 // CPU seconds: its own, and of the children it has waited for
	resident    int64   // bytes
}

func readStat(pid int) (stat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(raw))
}

// parseStat reads the line after the program's name, which stands in parentheses and may hold
// anything.
func parseStat(line string) (stat, error) {
	i := strings.LastIndexByte(line, ')')
	if i < 0 {
		return stat{}, errors.New("no program name in the process's stat line")
	}
	fields := strings.Fields(line[i+1:])
	const parent, utime, resident = 1, 11, 21 // of proc(5)'s fields 4, 14 and 24: the first two are cut off
	if len(fields) <= resident {
		return stat{}, fmt.Errorf("%d fields in the process's stat line", len(fields))
	}
	var n [22]float64
	for _, f := range []int{parent, utime, utime + 1, utime + 2, utime + 3, resident} {
		value, err := strconv.ParseInt(fields[f], 10, 64)
		if err != nil || value < 0 {
			return stat{}, fmt.Errorf("field %d of the process's stat line is %q", f+3, fields[f])
		}
		n[f] = float64(value)
	}
	return stat{
		parent: int(n[parent]), own: (n[utime] + n[utime+1]) / clockTicks, reaped: (n[utime+2] + n[utime+3]) / clockTicks,
		resident: int64(n[resident]) * int64(os.Getpagesize()),
	}, nil
}

// privateMiB is the resident memory that a process shares with none, 0 when it has ended.
func privateMiB(pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 3 {
		return 0
	}
	resident, err1 := strconv.ParseInt(fields[1], 10, 64)
	shared, err2 := strconv.ParseInt(fields[2], 10, 64)
	if errors.Join(err1, err2) != nil {
		return 0
	}
	return float64((resident-shared)*int64(os.Getpagesize())) / (1 << 20)
}

// ownCPU is the CPU time of this process so far, in seconds.
func ownCPU() float64 {
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano()).Seconds()
}
