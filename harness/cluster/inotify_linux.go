package cluster

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
)

// inotifyInstances is how many a cluster of one node has to get: it uses about 25.
const inotifyInstances = 40

// CheckInotify finds out whether this user can still make the inotify instances that a node's
// programs need: without them the kubelet or kube-proxy dies. The error is of code
// exit.Environment.
func CheckInotify() error { return checkInotify(unix.InotifyInit1) }

func checkInotify(create func(flags int) (int, error)) error {
	for made := range inotifyInstances {
		fd, err := create(unix.IN_CLOEXEC)
		if err != nil {
			const setting = "fs.inotify.max_user_instances"
			limit, readErr := os.ReadFile("/proc/sys/fs/inotify/max_user_instances")
			if readErr != nil {
				limit = []byte("unknown")
			}
			return exit.Environmentf(setting, "sysctl -w "+setting+"=512 as root, or end what uses them",
				"the limit is %s, of which %d are free for this user; a node needs about %d: %w",
				strings.TrimSpace(string(limit)), made, inotifyInstances, err)
		}
		defer unix.Close(fd)
	}
	return nil
}
