package engine

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
)

// A cluster of kind needs a daemon that sees this machine's files, because images and the owner
// mark are mounted into nodes by their paths, and whose published ports are on this process's
// loopback. Engines that have another view are refused before anything is touched.

const unsuitableHint = "run Steamer on the machine of the daemon; in CI use a privileged job without a socket or " +
	"docker:dind, where Steamer starts an engine of its own " +
	"(docs/ci.md)"

// remote says why an endpoint of the form DOCKER_HOST has is another machine's; "" where it is a
// socket of this one.
func remote(endpoint string) string {
	parsed, err := url.Parse(endpoint)
	switch {
	case endpoint == "":
		return ""
	case err != nil:
		return "its address cannot be read"
	case parsed.Scheme == "unix" || parsed.Scheme == "npipe" || parsed.Scheme == "fd":
		return ""
	default:
		return parsed.Scheme + ":// leads to a daemon by the network, which may be another machine's"
	}
}

// refuseRemote returns an exit.Invalid error for an endpoint that is not a local socket. input is
// where it was chosen.
func refuseRemote(input, endpoint string) error {
	if why := remote(endpoint); why != "" {
		return exit.Invalidf(input, unsuitableHint,
			"%s: nodes could not mount this machine's files, and their ports would not be on its loopback address", why)
	}
	return nil
}

// view is what a daemon says about where it is.
type view struct {
	System string // OperatingSystem of docker info
	Kernel string // KernelVersion
	Root   string // DockerRootDir
	Remote bool   // podman's ServiceIsRemote
}

// host is what this process knows about where it is itself.
type host struct {
	os     string            // GOOS
	kernel string            // release of the kernel
	isDir  func(string) bool // whether a path is a directory here
	// peer is the process that listens on the engine's socket, as this process's PID namespace
	// numbers it: 0 where that has no such process, -1 where it is not known.
	peer int
}

// elsewhere says why a daemon with this view is not where this process is; "" where it is.
func (v view) elsewhere(h host) string {
	switch {
	case h.os != "linux":
		return "" // Docker Desktop and its like run the daemon in a machine of their own, with this one's files and ports
	case strings.Contains(v.System, "Docker Desktop"):
		return ""
	case v.Remote:
		return "podman is set to a service elsewhere"
	case h.peer == 0:
		return "its daemon is outside this container: the socket was mounted into it"
	case v.Kernel != "" && h.kernel != "" && v.Kernel != h.kernel:
		return fmt.Sprintf("its daemon runs on another kernel (%s, here %s)", v.Kernel, h.kernel)
	case v.Root != "" && !h.isDir(v.Root):
		return "its daemon keeps its data in " + v.Root + ", which is not here: it has other files than this process"
	default:
		return ""
	}
}

// contextEndpoint reads the daemon's address from docker context inspect.
func contextEndpoint(output string) (string, error) {
	var contexts []struct {
		Endpoints map[string]struct{ Host string }
	}
	if err := json.Unmarshal([]byte(output), &contexts); err != nil {
		return "", fmt.Errorf("docker context inspect: %w", err)
	}
	if len(contexts) != 1 {
		return "", fmt.Errorf("docker context inspect told of %d contexts", len(contexts))
	}
	return contexts[0].Endpoints["docker"].Host, nil
}
