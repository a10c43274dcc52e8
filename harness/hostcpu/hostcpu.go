// Package hostcpu reads how much of the CPUs that this process may run on is in use, by whomever.
package hostcpu

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// clockTicks is the unit of CPU times in /proc, per second: USER_HZ, 100 on every architecture that
// Go supports.
const clockTicks = 100

// Use is CPU time in seconds since the machine started, of the CPUs that this process may run on.
type Use struct {
	Busy       float64 // of all processes and the kernel, what a hypervisor took included
	Interrupts float64 // of Busy: interrupts and what the kernel does after them, the network's above all
}

// Read is the use so far.
func Read() (Use, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Use{}, err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return Use{}, err
	}
	return parse(string(stat), string(status))
}

// parse adds up the lines "cpu3 user nice system idle iowait irq softirq steal ..." of /proc/stat,
// see proc(5), of the CPUs that /proc/self/status allows; guests are part of user.
func parse(stat, status string) (Use, error) {
	allowed, err := affinity(status)
	if err != nil {
		return Use{}, err
	}
	var use Use
	seen := 0
	for line := range strings.Lines(stat) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		name, numbered := strings.CutPrefix(fields[0], "cpu")
		number, err := strconv.Atoi(name)
		if !numbered || err != nil || !allowed(number) {
			continue
		}
		if len(fields) < 9 {
			return Use{}, fmt.Errorf("%q is no line of /proc/stat about a CPU", strings.TrimSpace(line))
		}
		for _, i := range []int{1, 2, 3, 6, 7, 8} {
			n, err := strconv.ParseFloat(fields[i], 64)
			if err != nil || !(n >= 0) {
				return Use{}, fmt.Errorf("field %d of %s in /proc/stat is %q", i, fields[0], fields[i])
			}
			use.Busy += n / clockTicks
			if i == 6 || i == 7 {
				use.Interrupts += n / clockTicks
			}
		}
		seen++
	}
	if seen == 0 {
		return Use{}, fmt.Errorf("/proc/stat has no CPU that this process may run on")
	}
	return use, nil
}

// affinity reads the list "0-3,8" of CPUs that a process may run on.
func affinity(status string) (func(cpu int) bool, error) {
	for line := range strings.Lines(status) {
		list, ok := strings.CutPrefix(line, "Cpus_allowed_list:")
		if !ok {
			continue
		}
		var spans [][2]int
		for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
			from, to, ranged := strings.Cut(part, "-")
			if !ranged {
				to = from
			}
			first, err1 := strconv.Atoi(from)
			last, err2 := strconv.Atoi(to)
			if err1 != nil || err2 != nil {
				return nil, fmt.Errorf("%q is no list of CPUs", strings.TrimSpace(list))
			}
			spans = append(spans, [2]int{first, last})
		}
		return func(cpu int) bool {
			for _, s := range spans {
				if cpu >= s[0] && cpu <= s[1] {
					return true
				}
			}
			return false
		}, nil
	}
	return nil, fmt.Errorf("/proc/self/status does not say which CPUs this process may run on")
}
