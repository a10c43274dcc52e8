package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process identifies a process for good: numbers come back, after a reboot very soon, but not with
// the same boot and start. A field that the system does not tell is empty.
type Process struct {
	Boot      string `json:"boot"`      // ID of the boot
	Namespace string `json:"namespace"` // of process numbers, without which PID means nothing
	PID       int    `json:"pid"`
	Start     string `json:"start"` // clock ticks from the boot to its start
}

// Life says whether a process, or whoever else uses a cluster, is there.
type Life string

// Lives. Who cannot be seen may be there: nothing is taken from an Unknown.
const (
	Alive   Life = "alive"
	Gone    Life = "gone"
	Unknown Life = "unknown"
)

// system is where processes are read, /proc outside of tests.
type system string

const realSystem system = "/proc"

// process identifies a process of this system.
func (s system) process(pid int) Process {
	p := Process{PID: pid}
	if boot, err := os.ReadFile(s.path("sys/kernel/random/boot_id")); err == nil {
		p.Boot = strings.TrimSpace(string(boot))
	}
	if namespace, err := os.Readlink(s.path("self/ns/pid")); err == nil {
		p.Namespace = namespace
	}
	if start, err := s.start(pid); err == nil {
		p.Start = start
	}
	return p
}

// life looks for a process that this machine ran, as the same user.
func (s system) life(p Process) Life {
	here := s.process(os.Getpid())
	switch {
	case p.Boot == "" || here.Boot == "":
		return Unknown
	case p.Boot != here.Boot:
		return Gone // the machine was started again
	case p.Start == "" || p.Namespace == "" || p.Namespace != here.Namespace:
		return Unknown
	}
	start, err := s.start(p.PID)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && start != p.Start:
		return Gone
	case err != nil:
		return Unknown
	default:
		return Alive
	}
}

// startTime is the place of a process's start, in clock ticks since the boot, among the fields of
// /proc/PID/stat that follow the command's name (proc(5): field 22, the name is field 2).
const startTime = 22 - 3

// start is when a process began. A zombie has ended: its error is fs.ErrNotExist.
func (s system) start(pid int) (string, error) {
	stat, err := os.ReadFile(s.path(strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // the name itself may hold anything
	if len(fields) <= startTime {
		return "", fmt.Errorf("/proc/%d/stat has %d fields after the name", pid, len(fields))
	}
	if state := fields[0]; state == "Z" || state == "X" {
		return "", fs.ErrNotExist
	}
	return fields[startTime], nil
}

func (s system) path(elements ...string) string {
	return filepath.Join(append([]string{string(s)}, elements...)...)
}
