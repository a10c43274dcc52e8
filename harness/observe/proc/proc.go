// Package proc reads what processes and the machine use from /proc, see proc(5). It is the one
// place that does, except for what runs inside containers.
package proc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// userHZ is the unit of CPU times in /proc, per second: 100 on every architecture that Go
// supports.
const userHZ = 100

// Stat is what Steamer uses of /proc/PID/stat.
type Stat struct {
	State       string  // a letter; Z and X are processes that have ended
	Parent      int     // process ID
	CPU         float64 // seconds, user and system
	Reaped      float64 // the same of ended children that it waited for
	Threads     int     // number of threads
	Start       string  // clock ticks from the boot to its start
	ResidentMiB float64 // resident set
}

// ParseStat reads the line after the program's name, which stands in parentheses and may hold
// anything.
func ParseStat(line string) (Stat, error) {
	i := strings.LastIndexByte(line, ')')
	if i < 0 {
		return Stat{}, errors.New("no program name in the process's stat line")
	}
	fields := strings.Fields(line[i+1:])
	const first = 3 // of proc(5)'s fields: the first behind the name
	const parent, utime, threads, start, resident = 4 - first, 14 - first, 20 - first, 22 - first, 24 - first
	if len(fields) <= resident {
		return Stat{}, fmt.Errorf("%d fields in the process's stat line", len(fields))
	}
	var n [resident + 1]float64
	for _, f := range []int{parent, utime, utime + 1, utime + 2, utime + 3, threads, resident} {
		value, err := strconv.ParseInt(fields[f], 10, 64)
		if err != nil || value < 0 {
			return Stat{}, fmt.Errorf("field %d of the process's stat line is %q", f+first, fields[f])
		}
		n[f] = float64(value)
	}
	return Stat{
		State: fields[0], Parent: int(n[parent]), CPU: (n[utime] + n[utime+1]) / userHZ,
		Reaped: (n[utime+2] + n[utime+3]) / userHZ, Threads: int(n[threads]), Start: fields[start],
		ResidentMiB: n[resident] * float64(os.Getpagesize()) / (1 << 20),
	}, nil
}

// Read reads one process. Its error is fs.ErrNotExist where there is no such process.
func Read(pid int) (Stat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Stat{}, err
	}
	return ParseStat(string(raw))
}

// Tree sums a process and its children, ended ones included. Of memory it counts what a process
// shares with no other: PostgreSQL has a process for each connection, and their shared buffers
// would be counted once for each.
func Tree(pid int) (cpuSeconds, privateMiB float64, err error) {
	parent, err := Read(pid)
	if err != nil {
		return 0, 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, 0, err
	}
	cpuSeconds, privateMiB = parent.CPU+parent.Reaped, private(pid)
	for _, field := range strings.Fields(string(children)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return 0, 0, fmt.Errorf("children of process %d: %w", pid, err)
		}
		if s, err := Read(child); err == nil { // else it has ended, and its parent has its time
			cpuSeconds, privateMiB = cpuSeconds+s.CPU+s.Reaped, privateMiB+private(child)
		}
	}
	return cpuSeconds, privateMiB, nil
}

// private is the resident memory in MiB that a process shares with none, 0 when it has ended.
func private(pid int) float64 {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0
	}
	s, err := p.Statm()
	if err != nil {
		return 0
	}
	return float64(s.ResidentBytes()-s.SHRBytes()) / (1 << 20)
}

// Sockets counts a process's open sockets, 0 when they cannot be read.
func Sockets(pid int) int {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0
	}
	targets, err := p.FileDescriptorTargets()
	if err != nil {
		return 0
	}
	n := 0
	for _, target := range targets {
		if strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

// Own is the CPU time of this process so far, in seconds.
func Own() float64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0 // it fails for a wrong argument only, see getrusage(2)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
