package engine

import (
	"context"
	"net"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// here describes where this process is, and who listens at a unix endpoint.
func here(ctx context.Context, endpoint string) host {
	h := host{os: runtime.GOOS, isDir: isDir, peer: -1}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		h.kernel = unix.ByteSliceToString(name.Release[:])
	}
	if path, ok := strings.CutPrefix(endpoint, "unix://"); ok {
		h.peer = listener(ctx, path)
	}
	return h
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// listener returns the process that listens on a unix socket (SO_PEERCRED, unix(7)): 0 where this
// process's PID namespace has no such process, -1 where it cannot be found out.
func listener(ctx context.Context, path string) int {
	dialer := net.Dialer{Timeout: answerTimeout}
	connection, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return -1
	}
	defer connection.Close()
	socket, ok := connection.(*net.UnixConn)
	if !ok {
		return -1
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return -1
	}
	pid := -1
	if err := raw.Control(func(fd uintptr) {
		if credentials, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(credentials.Pid)
		}
	}); err != nil {
		return -1
	}
	return pid
}
