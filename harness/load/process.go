package load

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// Units of /proc, see proc(5): CPU times are in USER_HZ, which is 100 on every architecture Steamer
// runs on; memory is in pages.
const clockTicks = 100

// processSampler reads one process's use of the machine from /proc.
type processSampler struct {
	dir  string // "/proc/PID"
	at   time.Time
	cpu  float64 // seconds, cumulative
	base bool
	out  []result.GeneratorSample
}

// watchProcess samples a process once a second until done is closed. What cannot be read any more,
// because the process has ended, is left out.
func watchProcess(pid int, done <-chan struct{}) []result.GeneratorSample {
	s := processSampler{dir: filepath.Join("/proc", strconv.Itoa(pid))}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		s.sample(time.Now())
		select {
		case <-done:
			return s.out
		case <-ticker.C:
		}
	}
}

// sample adds one reading; the first only sets the base.
func (s *processSampler) sample(now time.Time) {
	stat, err := os.ReadFile(filepath.Join(s.dir, "stat"))
	if err != nil {
		return
	}
	cpu, threads, pages, ok := parseStat(stat)
	if !ok {
		return
	}
	elapsed := now.Sub(s.at).Seconds()
	if s.base && elapsed > 0 {
		s.out = append(s.out, result.GeneratorSample{
			At: now.UTC(), CPUCores: max(0, cpu-s.cpu) / elapsed, RSSMiB: pages * float64(os.Getpagesize()) / (1 << 20),
			Sockets: s.sockets(), Threads: threads,
		})
	}
	s.at, s.cpu, s.base = now, cpu, true
}

// parseStat reads CPU seconds, the number of threads and the resident pages from /proc/PID/stat:
// fields 14, 15, 20 and 24 of proc(5), counted behind the name, which may hold anything.
func parseStat(stat []byte) (cpu float64, threads int, pages float64, ok bool) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const before = 3 // field 3 is the first behind the name
	if len(fields) <= 24-before {
		return 0, 0, 0, false
	}
	var n [4]float64
	for i, field := range []int{14, 15, 20, 24} {
		value, err := strconv.ParseUint(fields[field-before], 10, 63)
		if err != nil {
			return 0, 0, 0, false
		}
		n[i] = float64(value)
	}
	return (n[0] + n[1]) / clockTicks, int(n[2]), n[3], true
}

// sockets counts the process's open sockets.
func (s *processSampler) sockets() int {
	dir := filepath.Join(s.dir, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	n := 0
	for _, entry := range entries {
		if target, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil && strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}
