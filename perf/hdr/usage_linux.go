package hdr

import (
	"runtime"
	"syscall"
)

// used reads what this process has used, see getrusage(2); its maximum resident set is in KiB on
// Linux.
func used() usage {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return usage{}
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Nano()) / 1e9 }
	return usage{
		CPUSeconds: seconds(r.Utime) + seconds(r.Stime), MaxRSSMiB: float64(r.Maxrss) / 1024,
		CPUs: runtime.GOMAXPROCS(0),
	}
}
