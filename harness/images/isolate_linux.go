package images

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolate gives a command mount and process namespaces of its own, where this process may make
// them, and ends it with this process. Whichever of the two is killed, the kernel ends what the
// command started and drops what it mounted: the host's mount table never holds it.
//
// The caller has to stay on its thread while the command runs (runtime.LockOSThread): the end of
// the thread counts as the end of this process (PR_SET_PDEATHSIG(2const)).
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if administers() {
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID
		cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS // Go makes the mounts in it private
	}
}

// administers reports whether this process has CAP_SYS_ADMIN. Without it the command can mount
// nothing either, except in namespaces that it makes by itself.
func administers() bool {
	var sets [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	return unix.Capget(&header, &sets[0]) == nil && sets[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}
