package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/observe/proc"
)

// ownNetwork is the network namespace of the calling thread. All threads of a process have the
// same but those that work in inThread.
const ownNetwork = "/proc/thread-self/ns/net"

// inode identifies a namespace.
func inode(path string) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return stat.Ino, nil
}

// pinned returns the inode of the network namespace that is pinned at path; 0 where none is.
func pinned(path string) (uint64, error) {
	var fs unix.Statfs_t
	err := unix.Statfs(path, &fs)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || err == nil && fs.Type != unix.NSFS_MAGIC {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return inode(path)
}

// inThread calls do on a thread that ends with it, so that whatever do makes of the thread's
// namespaces is no other's.
func inThread(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		done <- do()
	}()
	return <-done
}

// pinNew makes a network namespace with nothing in it but the loopback device, and pins it at
// path. It returns its inode.
func pinNew(path string) (number uint64, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return 0, err
	}
	_ = file.Close()
	err = inThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		if err := loopbackUp(); err != nil {
			return fmt.Errorf("loopback device of a new network namespace: %w", err)
		}
		if err := unix.Mount(ownNetwork, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("pin a network namespace at %s: %w", path, err)
		}
		number, err = inode(ownNetwork)
		return err
	})
	return number, err
}

func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFFLAGS, request); err != nil {
		return err
	}
	request.SetUint16(request.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}

// enterNetwork moves the calling thread into the network namespace that is pinned at path.
func enterNetwork(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network namespace %s: %w", path, err)
	}
	return nil
}

// wayOutOf returns the route by which a packet could leave the network namespace that is pinned at
// path; "" where there is none.
func wayOutOf(path string) (route string, err error) {
	err = inThread(func() error {
		if err := enterNetwork(path); err != nil {
			return err
		}
		v4, err := os.ReadFile("/proc/thread-self/net/route")
		if err != nil {
			return err
		}
		v6, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
		if err != nil && !errors.Is(err, os.ErrNotExist) { // a kernel without IPv6
			return err
		}
		route = wayOut(string(v4), string(v6))
		return nil
	})
	return route, err
}

// wayOut finds a default route in the kernel's route tables, /proc/net/route and
// /proc/net/ipv6_route. Those of lo lead nowhere.
func wayOut(v4, v6 string) string {
	for line := range strings.Lines(v4) { // Iface Destination Gateway Flags RefCnt Use Metric Mask …
		if f := strings.Fields(line); len(f) >= 8 && f[1] == "00000000" && f[7] == "00000000" && f[0] != "lo" {
			return "default by " + f[0]
		}
	}
	for line := range strings.Lines(v6) { // destination prefix source prefix gateway metric references use flags device
		if f := strings.Fields(line); len(f) >= 10 && f[1] == "00" && strings.Trim(f[0], "0") == "" && f[9] != "lo" {
			return "default (IPv6) by " + f[9]
		}
	}
	return ""
}

// membersOf lists the processes whose network namespace has the given inode.
func membersOf(namespace uint64) []int {
	found, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		return nil
	}
	var pids []int
	for _, link := range found {
		if number, err := inode(link); err != nil || number != namespace { // it has just ended
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(link)))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ancestors are this process and those that it descends from.
func ancestors() map[int]bool {
	all := map[int]bool{}
	for pid := os.Getpid(); pid > 0 && !all[pid]; pid = parentOf(pid) {
		all[pid] = true
	}
	return all
}

// parentOf is a process's parent; 0 where there is none.
func parentOf(pid int) int {
	stat, err := proc.Read(pid)
	if err != nil {
		return 0
	}
	return stat.Parent
}
