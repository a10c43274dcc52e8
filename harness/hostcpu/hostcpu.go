// Package hostcpu reads how much of this machine's CPUs is in use.
package hostcpu

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// clockTicks is the unit of CPU times in /proc, per second: USER_HZ, 100 on every architecture that Go supports.
const clockTicks = 100

// Busy is the CPU time that all processes of the machine and its kernel have used since it started, in seconds, what a hypervisor took included.
func Busy() (float64, error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	return parse(first)
}

// parse reads the line "cpu user nice system idle iowait irq softirq steal ..." of /proc/stat, see proc(5); guests are part of user.
func parse(line string) (float64, error) {
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("%q is not the first line of /proc/stat", line)
	}
	sum := 0.0
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, err := strconv.ParseFloat(fields[i], 64)
		if err != nil || !(n >= 0) {
			return 0, fmt.Errorf("field %d of /proc/stat is %q", i, fields[i])
		}
		sum += n
	}
	return sum / clockTicks, nil
}
