package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gitlab.com/steamer/steamer/harness/observe/proc"
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

// start is when a process began. A zombie has ended: its error is fs.ErrNotExist.
func (s system) start(pid int) (string, error) {
	raw, err := os.ReadFile(s.path(strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", err
	}
	stat, err := proc.ParseStat(string(raw))
	if err == nil && (stat.State == "Z" || stat.State == "X") {
		err = fs.ErrNotExist
	}
	return stat.Start, err
}

func (s system) path(elements ...string) string {
	return filepath.Join(append([]string{string(s)}, elements...)...)
}
