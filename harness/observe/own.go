package observe

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/result"
)

// Own adds what Steamer's process and the container engine's use on this machine, and how often
// Steamer's control group, which k6 is in as well, was held back by its CPU quota. It is a Source.
type Own struct{}

func (Own) attach(ctx context.Context, o *Observer) {
	o.own = &series{out: result.ResourceSeries{Component: "steamer", Name: "steamer and engine"}}
	group, err := cgroup.Own()
	if err != nil {
		o.note(err)
	}
	engines := engineReader{proc: os.DirFS("/proc"), last: map[string]float64{}}
	o.group.Go(func() {
		o.note(everySecond(ctx, func() error {
			n := numbers{(proc.Own() + engines.read(time.Now())) * 1e9}
			if group != nil {
				n[2], n[3], _ = group.Throttling()
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			o.own.add(o.own.out, time.Now(), n)
			return nil
		}))
	})
}

// engineReader adds up the CPU time of processes that a container engine runs beside containers on
// this machine's behalf: what forwards ports to nodes, which all load goes through, and the
// daemons of an engine that Steamer started. They are found again every rescan.
type engineReader struct {
	proc  fs.FS
	found []string // process IDs
	last  map[string]float64
	total float64 // seconds
	next  time.Time
}

// rescan is how often the list of processes is read again: they live as long as a cluster.
const rescan = 10 * time.Second

// read returns the seconds used since the first time. Use before a process was first seen is not
// in it.
func (r *engineReader) read(now time.Time) float64 {
	if !now.Before(r.next) {
		r.next = now.Add(rescan)
		r.found = r.find()
	}
	for _, pid := range r.found {
		stat, err := fs.ReadFile(r.proc, pid+"/stat")
		if err != nil {
			continue // it has ended
		}
		s, err := proc.ParseStat(string(stat))
		if err != nil {
			continue
		}
		seconds := s.CPU + s.Reaped
		if before, known := r.last[pid]; known && seconds > before {
			r.total += seconds - before
		}
		r.last[pid] = seconds
	}
	return r.total
}

func (r *engineReader) find() []string {
	entries, err := fs.ReadDir(r.proc, ".")
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		name, err := fs.ReadFile(r.proc, e.Name()+"/comm")
		if err != nil {
			continue
		}
		switch strings.TrimSpace(string(name)) {
		case "docker-proxy", "rootlessport":
			found = append(found, e.Name())
		case "dockerd", "containerd":
			// A daemon of other users may be busy with their builds.
			if line, err := fs.ReadFile(r.proc, e.Name()+"/cmdline"); err == nil && bytes.Contains(line, []byte("/steamer/")) {
				found = append(found, e.Name())
			}
		}
	}
	return found
}

// nodeID is the ID under which a node's script prints the node itself, and nodeComponent the
// component of that series.
const (
	nodeID        = "node"
	nodeComponent = "node"
)

// machineOf describes a series of a whole node.
func machineOf(node string) result.ResourceSeries {
	return result.ResourceSeries{Component: nodeComponent, Name: node}
}

// ofNode describes what a line of a node's script is about: a container of a pod, or the node.
func (o *Observer) ofNode(node string) func(id string) (result.ResourceSeries, bool) {
	return func(id string) (result.ResourceSeries, bool) {
		if id == nodeID {
			return machineOf(node), true
		}
		return o.pods.container(id)
	}
}

// gaps are series without samples, of what runs and was never sampled. Its use is unknown, and not
// zero.
func (o *Observer) gaps(all []result.ResourceSeries) []result.ResourceSeries {
	seen := map[string]bool{}
	for i := range all {
		seen[fmt.Sprint(all[i].Component, " ", all[i].Name)] = true
	}
	var out []result.ResourceSeries
	for _, described := range append(o.pods.runningContainers(), o.machines...) {
		if !seen[fmt.Sprint(described.Component, " ", described.Name)] {
			described.Samples = []result.ResourceSample{}
			out = append(out, described)
		}
	}
	return out
}
