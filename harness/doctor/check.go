package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/engine/ociruntime"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
)

// Finding is one thing that doctor looked at.
type Finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"` // how to fix it; empty when nothing needs doing
}

// Disk space that images, build caches and a cluster take, in GiB: about 10 for Go's caches, 5 for
// images and engine.
const diskGiB = 20

// Examine looks at everything a run depends on. cache is where images and the private engine's
// data go. A finding is not OK when it would keep a run from starting.
func Examine(ctx context.Context, cache string) []Finding {
	findings := []Finding{
		examineEngine(ctx, engine.Options{DataDir: filepath.Join(cache, "engine")}), examineCgroup(), examineCapabilities(),
		examineFiles(), examineInotify(), examineDisk(cache),
		examinePort(), examineModules(ctx), examineRegistries(ctx),
	}
	for _, r := range requirements() {
		findings = append(findings, examineRequirement(ctx, r))
	}
	return findings
}

func examineRequirement(ctx context.Context, r requirement) Finding {
	f := Finding{Name: r.Name, OK: r.Present(ctx), Detail: r.Why}
	if f.OK {
		return f
	}
	f.Hint = "steamer setup, or install " + strings.Join(r.Packages, ", ")
	if !slices.Contains(r.For, ForRun) {
		flag := "--tests"
		if slices.Contains(r.For, ForBench) {
			flag = "--bench"
		}
		f.OK, f.Detail, f.Hint = true, "missing, and no run needs it: "+r.Why, "steamer setup "+flag+", or install "+
			strings.Join(r.Packages, ", ")
	}
	return f
}

func examineEngine(ctx context.Context, opts engine.Options) Finding {
	f := Finding{Name: "engine"}
	if e, err := engine.Running(ctx, opts); err == nil {
		f.OK, f.Detail = true, e.String()+", cgroup "+e.Cgroup
		return f
	}
	_, err := engine.Wanted(ctx, opts)
	if err == nil && !programs("runc") {
		err = exit.Environmentf("runc", "start Docker or Podman, or run steamer setup as root", "it is not installed")
	}
	var why *exit.Error
	switch {
	case err == nil:
		f.OK, f.Detail = true, "none runs; Steamer starts a private one, in a network namespace of its own"
	case errors.As(err, &why):
		f.Detail, f.Hint = why.Input+": "+why.Cause.Error(), why.Hint
	default:
		f.Detail, f.Hint = err.Error(), "start Docker or Podman, or run steamer setup as root"
	}
	return f
}

func examineCgroup() Finding {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return Finding{Name: "cgroup", OK: true, Detail: "v2"}
	}
	return Finding{Name: "cgroup", OK: true, Detail: "v1: kind-config.yaml tells the kubelet to accept it"}
}

func examineCapabilities() Finding {
	missing := ociruntime.Missing()
	if len(missing) == 0 {
		return Finding{Name: "capabilities", OK: true, Detail: "the bounding set is complete"}
	}
	return Finding{Name: "capabilities", OK: true, Detail: "the bounding set lacks " + strings.Join(missing, ", ") +
		": a private engine asks for no more than there is"}
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
		f.Hint = "raise the hard limit of open files (ulimit -Hn, or limits.conf)"
	}
	return f
}

func examineInotify() Finding {
	f := Finding{Name: "inotify", OK: true, Detail: "there are instances enough for a node"}
	var why *exit.Error
	if err := cluster.CheckInotify(); errors.As(err, &why) {
		f.OK, f.Detail, f.Hint = false, why.Input+": "+why.Cause.Error(), why.Hint
	}
	return f
}

func examineDisk(cache string) Finding {
	f := Finding{Name: "disk"}
	dir, err := filepath.Abs(cache)
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	var stat unix.Statfs_t
	err = unix.Statfs(dir, &stat)
	for os.IsNotExist(err) && dir != "/" { // the cache is made on demand
		dir = filepath.Dir(dir)
		err = unix.Statfs(dir, &stat)
	}
	if err != nil {
		f.Detail, f.Hint = fmt.Sprintf("%s: %v", dir, err), "point --cache (or STEAMER_CACHE) at a directory"
		return f
	}
	free := int64(stat.Bavail) * int64(stat.Bsize) >> 30
	f.OK, f.Detail = free >= diskGiB, fmt.Sprintf("%d GiB free for %s, a first run takes about %d", free, cache, diskGiB)
	if !f.OK {
		f.Hint = "free space, or point --cache (or STEAMER_CACHE) at a larger disk"
	}
	return f
}

func examinePort() Finding {
	port, err := cluster.FreePort()
	if err != nil {
		return Finding{Name: "port", Detail: err.Error(), Hint: "end what holds them, or name a free one with --port"}
	}
	return Finding{Name: "port", OK: true, Detail: fmt.Sprintf("127.0.0.1:%d is free", port)}
}

// moduleTimeout bounds how long the module proxy may take to answer.
const moduleTimeout = 20 * time.Second

// examineModules asks the configured Go module proxy for one small module's version. It uses an
// empty module cache, because a filled one would answer in the proxy's place.
func examineModules(ctx context.Context) Finding {
	f := Finding{Name: "Go modules"}
	dir, err := os.MkdirTemp("", "steamer-doctor-")
	if err != nil {
		f.Detail, f.Hint = err.Error(), "make TMPDIR writable"
		return f
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, moduleTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "github.com/google/uuid@v1.6.0")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -modcacherw", "GOWORK=off", "GOMODCACHE="+
		filepath.Join(dir, "modules"))
	cmd.WaitDelay = time.Second
	if output, err := cmd.CombinedOutput(); err != nil {
		f.Detail = strings.TrimSpace(fmt.Sprintf("%v: %s", err, output))
		f.Hint = "set GOPROXY to a module proxy that answers, or bring images with steamer images load"
		return f
	}
	f.OK, f.Detail = true, "the module proxy answers: images can be built"
	return f
}

// examineRegistries never keeps a run from starting: what cannot be pulled is built.
func examineRegistries(ctx context.Context) Finding {
	f := Finding{Name: "registries", OK: true, Detail: "they answer: images with a pinned digest are pulled"}
	if err := images.Registries(ctx); err != nil {
		f.Detail = fmt.Sprintf("images are built, not pulled: %v", err)
	}
	return f
}
