package platform

import "golang.org/x/sys/unix"

// MemoryMiB is the machine's memory; 0 where it cannot be read.
func MemoryMiB() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit) >> 20
}
