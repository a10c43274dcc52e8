// Package observe samples what the system under test uses while it is driven: CPU, memory and
// throttling of each container about once a second, restarts and changes of leadership, and from
// the sources it is given OpenBao's own metrics, PostgreSQL's own statistics and Kubernetes'
// warnings.
package observe

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/observe/proc"
	"gitlab.com/steamer/steamer/harness/result"
)

// Machine is a container of the engine to observe besides the pods, e.g. PostgreSQL of the hybrid
// topology.
type Machine struct{ Component, Name string }

// Observer samples one environment until it is stopped.
type Observer struct {
	engine *engine.Engine
	pods   *podWatcher

	mu     sync.Mutex
	series map[string]*series // by container ID
	errs   []error
	use    selfUse
	cancel context.CancelFunc
	group  sync.WaitGroup

	machines []result.ResourceSeries // without samples
	host     *series                 // nil without a Host
	own      *series                 // nil without an Own
	server   *serverSeries           // nil without a Server
	database *databaseWatcher        // nil without a Database
}

// Source is something more to observe: a Server, a Database, Warnings or the Host.
type Source interface {
	attach(ctx context.Context, o *Observer)
}

// series is the use of one container; the last raw counters turn into rates.
type series struct {
	out                       result.ResourceSeries
	at                        time.Time
	cpu                       float64 // seconds, cumulative
	interrupts                float64 // likewise, of the host
	periods, throttledPeriods float64 // CFS periods, cumulative
}

// Start begins to sample: node containers of a kind cluster for the pods' containers, and
// machines. Stop ends it. On an existing cluster, where e is nil, the kubelets' summary API has to
// do, if it may be read. Fill has what the sources found.
func Start(ctx context.Context, e *engine.Engine, pods PodSource, nodes []string, machines []Machine,
	sources ...Source,
) *Observer {
	ctx, cancel := context.WithCancel(ctx)
	o := &Observer{engine: e, pods: newPodWatcher(pods), series: map[string]*series{}, use: newSelfUse(), cancel: cancel}
	for _, source := range sources {
		source.attach(ctx, o)
	}
	o.group.Go(func() { o.note(o.pods.run(ctx)) })
	if e == nil {
		o.group.Go(func() { o.note(o.summaries(ctx)) })
	}
	for _, node := range nodes {
		o.group.Go(func() {
			o.note(o.stream(ctx, node, nodeScript, o.ofNode(node)))
		})
	}
	for _, machine := range machines {
		described := result.ResourceSeries{Component: machine.Component, Name: machine.Name}
		o.machines = append(o.machines, described)
		o.group.Go(func() {
			o.note(o.stream(ctx, machine.Name, selfScript, func(string) (result.ResourceSeries, bool) {
				return described,
					true
			}))
		})
	}
	return o
}

func (o *Observer) note(err error) {
	if err == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errs = append(o.errs, err)
}

// Stop ends sampling and returns the series, the events, and what could not be observed.
func (o *Observer) Stop() ([]result.ResourceSeries, []result.Event, []error) {
	if o.database != nil {
		o.database.finish()
		<-o.database.done
	}
	o.cancel()
	o.group.Wait()
	all, events := o.Since(time.Time{})
	o.mu.Lock()
	defer o.mu.Unlock()
	return all, events, o.errs
}

// Fill writes what the sources found, and what observing cost, into a topology. Call it after
// Stop.
func (o *Observer) Fill(t *result.Topology) {
	if o.host != nil && len(o.host.out.Samples) > 0 {
		t.Host = &o.host.out
	}
	if o.own != nil && len(o.own.out.Samples) > 0 {
		t.Own = &o.own.out
	}
	t.Nodes = o.nodes()
	if o.server != nil {
		t.Server = o.server.series()
	}
	if o.database != nil && len(o.database.out.Samples) > 0 {
		t.Database = &o.database.out
	}
	use := o.use.total()
	if o.database != nil {
		use.CPUSeconds += o.database.seconds()
	}
	t.Observer = &use
}

// stream runs a sampling script in a container and folds its lines in until ctx ends.
func (o *Observer) stream(ctx context.Context, container, script string, resolve func(id string) (result.ResourceSeries,
	bool),
) error {
	cmd := o.engine.Command(ctx, "exec", "--interactive", container, "sh", "-c", script)
	in, err := cmd.StdinPipe() // held open: the script ends with it
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("observing %s: %w", container, err)
	}
	readErr := o.read(out, container, resolve)
	waitErr := cmd.Wait()
	o.mu.Lock()
	o.use.clients += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	o.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("observing %s ended early: %w", container, cmp.Or(errors.Join(readErr, waitErr),
		errors.New("its script stopped")))
}

func (o *Observer) read(lines io.Reader, container string, resolve func(id string) (result.ResourceSeries,
	bool),
) error {
	scanner := bufio.NewScanner(lines)
	for scanner.Scan() {
		if stat, ok := strings.CutPrefix(scanner.Text(), scriptPrefix); ok {
			o.script(container, stat)
			continue
		}
		id, numbers, ok := parse(scanner.Text())
		if !ok {
			continue // a container that ended while the script looked at it
		}
		if described, wanted := resolve(id); wanted {
			o.fold(container+"/"+id, described, time.Now(), numbers)
		}
	}
	return scanner.Err()
}

// script takes in what a script says about itself.
func (o *Observer) script(container, stat string) {
	if s, err := proc.ParseStat(stat); err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.use.scripts[container] = s.CPU + s.Reaped
	}
}

// numbers are one line's counters in the order the scripts print them.
type numbers [4]float64

func parse(line string) (id string, n numbers, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 1+len(n) {
		return "", n, false
	}
	for i := range n {
		value, err := strconv.ParseFloat(fields[i+1], 64)
		if err != nil || !(value >= 0) || math.IsInf(value, 0) { // NaN is not >= 0
			return "", n, false
		}
		n[i] = value
	}
	return fields[0], n, true
}

// fold takes in one line about a container.
func (o *Observer) fold(key string, described result.ResourceSeries, at time.Time, n numbers) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.series[key] == nil {
		o.series[key] = &series{}
	}
	o.series[key].add(described, at, n)
}

// add turns cumulative counters into a sample; the first only sets the base.
func (s *series) add(described result.ResourceSeries, at time.Time, n numbers) {
	cpu := n[0] / 1e9
	if s.at.IsZero() {
		s.out, s.at, s.cpu, s.periods, s.throttledPeriods = described, at, cpu, n[2], n[3]
		return
	}
	elapsed := at.Sub(s.at).Seconds()
	if elapsed <= 0 {
		return
	}
	sample := result.ResourceSample{
		At: at.UTC(), CPUCores: max(0, cpu-s.cpu) / elapsed, MemoryMiB: n[1] / (1 << 20),
		Active: described.Role == roleActive,
	}
	if periods := n[2] - s.periods; periods > 0 {
		sample.Throttled = min(1, max(0, n[3]-s.throttledPeriods)/periods)
	}
	s.out.Role = described.Role
	s.out.Samples = append(s.out.Samples, sample)
	s.at, s.cpu, s.periods, s.throttledPeriods = at, cpu, n[2], n[3]
}
