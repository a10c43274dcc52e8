package delay

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// sleep waits by the kernel's high-resolution timer, which takes a thread meanwhile; not at all
// where d is not above 0.
func sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	rest := unix.NsecToTimespec(d.Nanoseconds())
	for errors.Is(unix.Nanosleep(&rest, &rest), unix.EINTR) { // by Go's own signals
	}
}
