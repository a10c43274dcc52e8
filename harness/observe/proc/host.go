package proc

import (
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/procfs"
)

// HostUse is CPU time in seconds since the machine started, of the CPUs that this process may run
// on.
type HostUse struct {
	Busy       float64 // of all processes and the kernel, what a hypervisor took included
	Interrupts float64 // of Busy: interrupts and what the kernel does after them, the network's above all
}

// Host is the use so far, by every process.
func Host() (HostUse, error) {
	all, err := procfs.NewDefaultFS()
	if err != nil {
		return HostUse{}, err
	}
	return host(all)
}

func host(all procfs.FS) (HostUse, error) {
	self, err := all.Self()
	if err != nil {
		return HostUse{}, err
	}
	status, errStatus := self.NewStatus()
	stat, errStat := all.Stat()
	if err := errors.Join(errStatus, errStat); err != nil {
		return HostUse{}, err
	}
	var use HostUse
	seen := 0
	for number, cpu := range stat.CPU {
		if !slices.Contains(status.CpusAllowedList, uint64(number)) {
			continue
		}
		// Guests are part of user; iowait is idle.
		use.Busy += cpu.User + cpu.Nice + cpu.System + cpu.IRQ + cpu.SoftIRQ + cpu.Steal
		use.Interrupts += cpu.IRQ + cpu.SoftIRQ
		seen++
	}
	if seen == 0 {
		return HostUse{}, fmt.Errorf("/proc/stat has no CPU that this process may run on")
	}
	return use, nil
}
