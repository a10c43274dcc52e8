package doctor

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/engine/ociruntime"
)

// Finding is one thing that doctor looked at.
type Finding struct {
	Name   string
	OK     bool
	Detail string
	Mend   string // empty when OK, or when nothing needs doing
}

// Disk space that images, build caches and a cluster take, in GiB: about 10 for Go's caches, 5 for images and engine.
const diskGiB = 20

// Examine looks at everything a run depends on. cache is where images and the private engine's data go.
func Examine(ctx context.Context, cache string) []Finding {
	findings := []Finding{examineEngine(ctx), examineCgroup(), examineCapabilities(), examineFiles(), examineDisk(cache), examinePort(cluster.DefaultHostPort), examineModules(ctx)}
	for _, r := range Requirements() {
		f := Finding{Name: r.Name, OK: r.Present(ctx), Detail: r.Why}
		if !f.OK {
			f.Mend = "steamer setup, or install " + strings.Join(r.Packages, ", ")
		}
		findings = append(findings, f)
	}
	return findings
}

func examineEngine(ctx context.Context) Finding {
	f := Finding{Name: "engine"}
	if e, err := engine.Running(ctx); err == nil {
		f.OK, f.Detail = true, e.String()+", cgroup "+e.Cgroup
		return f
	}
	f.OK = os.Geteuid() == 0 && programs("dockerd", "runc")
	f.Detail = "none runs; as root with dockerd installed, Steamer starts a private one"
	if !f.OK {
		f.Mend = "start Docker or Podman, or run steamer setup as root"
	}
	return f
}

func examineCgroup() Finding {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return Finding{Name: "cgroup", OK: true, Detail: "v2"}
	}
	return Finding{Name: "cgroup", OK: true, Detail: "v1: the kubelet is told that this is meant (kind-config.yaml)"}
}

func examineCapabilities() Finding {
	missing := ociruntime.Missing()
	if len(missing) == 0 {
		return Finding{Name: "capabilities", OK: true, Detail: "the bounding set is complete"}
	}
	return Finding{Name: "capabilities", OK: true, Detail: "the bounding set lacks " + strings.Join(missing, ", ") + ": a private engine asks for no more than there is"}
}

func examineFiles() Finding {
	f := Finding{Name: "open files"}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		f.Detail = err.Error()
		return f
	}
	const enough = 8192
	f.OK, f.Detail = limit.Max >= enough, fmt.Sprintf("hard limit %d, a node needs about %d", limit.Max, enough)
	if !f.OK {
		f.Mend = "raise the hard limit of open files (ulimit -Hn, or limits.conf)"
	}
	return f
}

func examineDisk(cache string) Finding {
	f := Finding{Name: "disk"}
	dir := cache
	var stat unix.Statfs_t
	err := unix.Statfs(dir, &stat)
	for os.IsNotExist(err) && dir != "/" {
		dir = dir[:max(1, strings.LastIndex(dir, "/"))]
		err = unix.Statfs(dir, &stat)
	}
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	free := int64(stat.Bavail) * stat.Bsize >> 30
	f.OK, f.Detail = free >= diskGiB, fmt.Sprintf("%d GiB free for %s, a first run takes about %d", free, cache, diskGiB)
	if !f.OK {
		f.Mend = "free space, or point --cache (or STEAMER_CACHE) at a larger disk"
	}
	return f
}

func examinePort(port int) Finding {
	f := Finding{Name: "port", OK: true, Detail: fmt.Sprintf("127.0.0.1:%d is free", port)}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return Finding{Name: "port", Detail: err.Error(), Mend: "steamer cluster list shows whether a cluster of Steamer's holds it; else choose another with --port"}
	}
	_ = listener.Close()
	return f
}

// examineModules asks the configured Go module proxy for one small module's version.
func examineModules(ctx context.Context) Finding {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	f := Finding{Name: "Go modules"}
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "github.com/google/uuid@v1.6.0")
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		f.Detail = strings.TrimSpace(string(output))
		f.Mend = "set GOPROXY to a module proxy that answers, or bring images with steamer images load"
		return f
	}
	f.OK, f.Detail = true, "the module proxy answers: images can be built"
	return f
}
