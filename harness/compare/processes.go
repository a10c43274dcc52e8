package compare

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// sampleEvery is how often processes are looked at. The kernel accounts in ticks
// of 10 ms (USER_HZ is 100 on every Linux), 0.4 % of one core over a slice of 2.5 s.
const (
	sampleEvery = 500 * time.Millisecond
	turnSample  = 100 * time.Millisecond // where slices are short and follow one another
	ticks       = 100.0
)

// processWatch samples OpenBao and PostgreSQL until it is stopped.
type processWatch struct {
	done, ended chan struct{}
	series      []result.ResourceSeries
	events      []result.Event
}

// watchProcesses begins to sample. PostgreSQL is its postmaster with its children.
func watchProcesses(openbao, postmaster int, every time.Duration) *processWatch {
	w := &processWatch{done: make(chan struct{}), ended: make(chan struct{})}
	counters := []*processCounter{
		{out: result.ResourceSeries{Component: "openbao", Name: "openbao"}, pid: openbao},
		{out: result.ResourceSeries{Component: "postgresql", Name: "postgresql"}, pid: postmaster, family: true},
	}
	go func() {
		defer close(w.ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for last := false; ; {
			for _, c := range counters {
				if err := c.sample(time.Now()); err != nil && !c.gone {
					c.gone = true
					w.events = append(w.events, result.Event{At: time.Now().UTC(), Kind: "restart", Detail: err.Error()})
				}
			}
			if last {
				break
			}
			select {
			case <-w.done:
				last = true
			case <-ticker.C:
			}
		}
		for _, c := range counters {
			w.series = append(w.series, c.out)
		}
	}()
	return w
}

// stop ends sampling and returns what was seen. A process that is gone is an
// event: nobody restarts it, and the fetches that fail then are an outcome.
func (w *processWatch) stop() ([]result.ResourceSeries, []result.Event) {
	close(w.done)
	<-w.ended
	return w.series, w.events
}

// processCounter turns a process's cumulative CPU time into a series.
type processCounter struct {
	out    result.ResourceSeries
	pid    int
	family bool // with its children, and with those that have ended
	gone   bool
	at     time.Time
	cpu    float64
}

func (c *processCounter) sample(now time.Time) error {
	cpu, memory, err := usage(c.pid, c.family)
	if err != nil {
		return fmt.Errorf("process %s: %w", c.out.Name, err)
	}
	if c.family {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", c.pid, c.pid))
		if err != nil {
			return fmt.Errorf("processes of %s: %w", c.out.Name, err)
		}
		for _, child := range strings.Fields(string(children)) {
			pid, _ := strconv.Atoi(child)
			if more, rss, err := usage(pid, false); err == nil { // else it has ended, and its parent has its time
				cpu, memory = cpu+more, memory+rss
			}
		}
	}
	if elapsed := now.Sub(c.at).Seconds(); !c.at.IsZero() && elapsed > 0 {
		c.out.Samples = append(c.out.Samples, result.ResourceSample{
			At: now.UTC(), CPUCores: max(0, cpu-c.cpu) / elapsed, MemoryMiB: memory,
		})
	}
	c.at, c.cpu = now, cpu
	return nil
}

// usage reads CPU seconds, with those of ended children if asked for, and the
// resident memory that is not shared in MiB (proc_pid_stat(5), proc_pid_statm(5)).
func usage(pid int, ended bool) (cpu, memory float64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The name may hold spaces and brackets; fields count from after its last one, which is field
	// 2.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	last := 13 // utime and stime are fields 14 and 15
	if ended {
		last = 15 // cutime and cstime
	}
	if len(fields) < 15 {
		return 0, 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	for _, f := range fields[11:last] {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, 0, err
		}
		cpu += v / ticks
	}
	var size, resident, shared float64
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(string(statm), &size, &resident, &shared); err != nil {
		return 0, 0, err
	}
	return cpu, (resident - shared) * float64(os.Getpagesize()) / (1 << 20), nil
}
