package run

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// newID names a run by its start and a random part, e.g. "20261123-145501-9f3a".
func newID(started time.Time) (string, error) {
	raw := make([]byte, 2)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	return started.Format("20060102-150405-") + hex.EncodeToString(raw), nil
}

func randomSeed() (string, error) {
	raw := make([]byte, 32)
	_, err := rand.Read(raw)
	return hex.EncodeToString(raw), err
}

// host describes this machine; what cannot be read stays empty.
func host() result.Host {
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

// moduleVersion is the version of a module that this program was built with.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == path {
			return dep.Version
		}
	}
	return ""
}

// resources gives OpenBao the tier's limits. Requests stay small: on a shared test host they would
// only keep the second pod from being scheduled, and requests do not slow a pod down.
func resources(tier load.Tier) topology.Resources {
	return topology.Resources{
		CPURequest: "100m", CPULimit: tier.CPULimit, MemoryRequest: "256Mi",
		MemoryLimit: tier.Memory,
	}
}
