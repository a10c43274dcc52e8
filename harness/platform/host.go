package platform

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/result"
)

// ThisHost describes this machine; what cannot be read stays empty.
func ThisHost() result.Host {
	h := result.Host{OS: osRelease(), CPUs: runtime.NumCPU(), UsableCPUs: cgroup.UsableCPUs(), Cgroup: "v1"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		h.Cgroup = "v2"
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		h.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	h.MemoryMiB = MemoryMiB()
	return h
}

func osRelease() string {
	file, err := os.Open("/etc/os-release")
	if err != nil {
		return runtime.GOOS
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if value, ok := strings.CutPrefix(scanner.Text(), "PRETTY_NAME="); ok {
			if unquoted, err := strconv.Unquote(value); err == nil {
				return unquoted
			}
			return value
		}
	}
	return runtime.GOOS
}
