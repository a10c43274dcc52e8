// Package load runs k6, reads the interval logs that it writes while it runs, and merges those of
// processes that share a load.
package load

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"gitlab.com/steamer/steamer/harness/cgroup"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Timeouts of a k6 run.
const (
	// DefaultStopTimeout is how long k6 may take to end after SIGINT before it is killed.
	DefaultStopTimeout = 15 * time.Second
	// DefaultOverrun is how much longer than warm-up and duration a run may take:
	// k6 compiles the script, creates its VUs, and waits for slow fetches at the end.
	DefaultOverrun = 90 * time.Second
)

// Runner starts k6 as a child process. Binary, Scripts and Dir are required.
type Runner struct {
	Binary  string // k6 with the extension
	Scripts string // directory of the workload scripts
	Dir     string // existing directory for the interval log, which stays there as evidence

	StopTimeout time.Duration // 0 means DefaultStopTimeout
	Overrun     time.Duration // 0 means DefaultOverrun

	// Progress is called about once a second with the latest interval, from
	// another goroutine, never after Run returned; may be nil.
	Progress func(result.Interval)
}

// Job is one run of k6.
type Job struct {
	Name    string  // names the interval log, e.g. the topology
	Profile Profile // validated
	Rate    float64 // fetches per second, see Profile.PerSecond
	Target  string  // where the fixture points, for the record
	Fixture []byte  // JSON for the extension; holds JWTs, so it only ever passes through a pipe
	// Thresholds are the latency limits that will judge it: every second's fetches above them are
	// counted.
	Thresholds []result.Threshold
}

// Plan is what the recording is measured against.
func (j Job) Plan() Plan {
	return Plan{
		Warmup: time.Duration(j.Profile.Warmup), Duration: time.Duration(j.Profile.Duration), Rate: j.Rate,
		Stages:     j.Profile.Course(j.Rate),
		Thresholds: j.Thresholds,
	}
}

// Describe fills in what the recording does not know of itself.
func (j Job) Describe(l *result.Load) {
	l.Workload, l.Profile, l.Mode, l.Target = j.Profile.Workload, j.Profile.Name, j.Profile.Mode, j.Target
	l.Generator.InitialVUs = j.Profile.VUs.At(slices.Max(append(j.Profile.rates(j.Rate), j.Rate))).Initial
	l.NotJudged = j.Profile.NotJudged
	if l.Attempts != nil {
		l.Attempts.Repeats = j.Profile.Retries
	}
	l.Jobs = j.jobs()
}

// Run drives one workload to its end and returns what it measured.
//
// The error is nil when k6 ran its schedule, even if fetches failed or k6's own
// thresholds did (then Extra has "k6_thresholds_failed"): judging is the gate's
// work. With an error the Load is still returned when anything was recorded,
// its Partial set. A cancelled ctx stops k6 and gives ctx's cause.
func (r Runner) Run(ctx context.Context, j Job) (*result.Load, error) {
	plan := j.Plan()
	rec := Recorder{Thresholds: j.Thresholds, OnInterval: func(iv result.Interval, _ int64) {
		if r.Progress != nil {
			r.Progress(iv)
		}
	}}
	began := time.Now()
	c := &child{env: environment(j), fixtures: [][]byte{j.Fixture}}
	log := r.log(j.Name)
	runErr := r.drive(ctx, c, j.Profile.Workload, log, plan.Warmup+plan.Duration,
		func(done <-chan struct{}) error { return follow(done, log, &rec) })
	if c.cmd == nil { // it never began
		return nil, runErr
	}
	l, err := rec.Finish(plan)
	if err != nil && errors.Is(runErr, err) {
		runErr = nil // the log is why k6 was stopped: say it once
	}
	if err != nil {
		return nil, errors.Join(runErr, exit.Environmentf(log, "see k6's messages; keep the file for a bug report", "%w",
			err))
	}
	j.Describe(l)
	c.account(&l.Generator, time.Since(began))
	var k *K6Error
	if errors.As(runErr, &k) && k.ExitCode == exitThresholds {
		l.Extra["k6_thresholds_failed"] = 1
		runErr = nil
	}
	if runErr != nil && l.Partial == "" {
		l.Partial = "k6 did not end well: " + exit.FirstLine(runErr.Error())
	}
	return l, runErr
}

// log is the file of the interval log of that name.
func (r Runner) log(name string) string { return filepath.Join(r.Dir, "k6-"+name+".ndjson") }

// drive has the child run a script, whose schedule takes that long, until it ends or is overdue. A
// log that is there is replaced.
func (r Runner) drive(ctx context.Context, c *child, workload, log string, length time.Duration,
	follow func(<-chan struct{}) error,
) error {
	script := filepath.Join(r.Scripts, workload+".js")
	for _, f := range []string{r.Binary, script} {
		if _, err := os.Stat(f); err != nil {
			return exit.Environmentf("k6", "build the load generator (make k6) and name its scripts", "%w", err)
		}
	}
	if err := os.Remove(log); err != nil && !errors.Is(err, os.ErrNotExist) {
		return exit.Environmentf(log, "make the run directory writable", "%w", err)
	}
	overrun := cmp.Or(r.Overrun, DefaultOverrun)
	ctx, cancel := context.WithTimeoutCause(ctx, length+overrun,
		exit.Environmentf("k6", "look for a stalled server in the run's logs", "still running %v after its planned end",
			overrun))
	defer cancel()
	c.binary, c.stop = r.Binary, cmp.Or(r.StopTimeout, DefaultStopTimeout)
	return c.run(ctx, append(Arguments(log), script), follow)
}

// Arguments is k6's command line but for the script, with the log's file. It must never hold a
// secret: argv is public.
func Arguments(log string) []string {
	return []string{
		"run", "--out", "hdr=" + log, "--no-usage-report", "--quiet", "--no-color",
		// The gate judges from the interval log. With thresholds or a summary k6 would keep every
		// sample in memory.
		"--no-thresholds", "--summary-mode=disabled", "--address=",
	}
}

// Settings are the variables by which the scripts and k6 are told what a job is, wherever they
// run. STEAMER_FIXTURE is not among them.
func Settings(j Job) []string {
	p := j.Profile
	vus := p.VUs.At(slices.Max(append(p.rates(j.Rate), j.Rate)))
	settings := []string{
		"STEAMER_RATE=" + strconv.FormatFloat(j.Rate, 'f', -1, 64),
		"STEAMER_WARMUP=" + time.Duration(p.Warmup).String(),
		"STEAMER_DURATION=" + time.Duration(p.Duration).String(),
		"STEAMER_VUS=" + strconv.Itoa(vus.Initial),
		"STEAMER_MAX_VUS=" + strconv.Itoa(vus.Max),
		"STEAMER_REUSE=" + strconv.FormatBool(p.Connections.Reuse),
		"K6_AUTO_EXTENSION_RESOLUTION=false", // our binary has the extension; k6 must not fetch another
		gcTrace,
	}
	if len(p.Stages) > 0 {
		settings = append(settings, "STEAMER_STAGES="+p.script(j.Rate))
	}
	return append(settings, p.work()...)
}

// environment is all k6 gets: settings, and what a process needs to live. The
// parent's environment may hold CI secrets and proxies and stays here; without
// HOME, k6 also finds no personal configuration that would change the run.
func environment(j Job) []string {
	env := append(Settings(j), "STEAMER_FIXTURE=/dev/fd/3")
	for _, k := range []string{"PATH", "TMPDIR", "LANG", "GOMAXPROCS", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(k); ok {
			env = append(env, k+"="+v)
		}
	}
	return env
}

// tick is how often the log is read; k6 adds a line a second.
const tick = 250 * time.Millisecond

// follow feeds the log to rec as it grows until done is closed, then to its end.
func follow(done <-chan struct{}, path string, rec *Recorder) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	var f *os.File
	defer func() {
		if f != nil {
			_ = f.Close() // read only: nothing can be lost
		}
	}()
	for last := false; ; {
		if f == nil {
			f, _ = os.Open(path) // k6 has not made it yet, or never will: Finish says so
		}
		if f != nil {
			if _, err := io.Copy(rec, f); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		select {
		case <-done:
			last = true
		case <-t.C:
		}
	}
}

// account records what the child cost: user and system time and peak memory
// from its rusage, its share of the host's CPUs over its lifetime, a sample for
// each second of it, and the work of its garbage collector.
func (c *child) account(g *result.Generator, wall time.Duration) {
	if c.cmd == nil || c.cmd.ProcessState == nil {
		return
	}
	g.Samples, g.Collections = c.samples, c.trace.Collections()
	s := c.cmd.ProcessState
	g.CPUSeconds = (s.UserTime() + s.SystemTime()).Seconds()
	g.CPUShare = g.CPUSeconds / (wall.Seconds() * cgroup.UsableCPUs())
	if ru, ok := s.SysUsage().(*syscall.Rusage); ok {
		g.MaxRSSMiB = float64(ru.Maxrss) / 1024 // Linux counts KiB, see getrusage(2)
	}
}

// command prepares the process in its own group, so that a Ctrl-C in the
// terminal reaches Steamer alone, which then stops k6 in order.
func (c *child) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.binary, args...)
	c.trace = NewTrace(&c.tail)
	cmd.Env, cmd.Stderr = c.env, c.trace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = c.stop
	return cmd
}
