package pods

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// drive is one load on pods that run.
type drive struct {
	names  []string
	merger *load.Merger
	traces []*load.Trace
	tails  []*load.Tail
	failed []string // by index, why a pod failed; empty where it did not
	begin  time.Time
}

func newDrive(to io.Writer, names []string) *drive {
	d := &drive{names: names, merger: load.NewMerger(to, names...), failed: make([]string, len(names))}
	for range names {
		tail := &load.Tail{}
		d.tails, d.traces = append(d.tails, tail), append(d.traces, load.NewTrace(tail))
	}
	return d
}

// run feeds all pods, lets them begin together and follows their logs to the end.
func (d *drive) run(ctx context.Context, r Runner, fixture []byte) error {
	// The logs outlive a cancelled run by the time that k6 has to end in order.
	following, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abandon(nil)
	stopped := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(stopped)
		d.stop(following, r)
		timer := time.AfterFunc(r.stopTimeout(), func() { abandon(errors.New("k6 did not end in time")) })
		context.AfterFunc(following, func() { timer.Stop() })
	})
	var logs errgroup.Group
	for i, name := range d.names {
		logs.Go(func() error {
			err := r.follow(following, name, d.merger.Part(i, d.traces[i]))
			return errors.Join(err, d.traces[i].Flush(), d.merger.End(i))
		})
	}
	detach, feedErr := d.feed(ctx, r, fixture)
	if feedErr != nil && ctx.Err() == nil {
		d.stop(following, r)
		time.AfterFunc(r.stopTimeout(), func() { abandon(feedErr) })
	}
	logErr := logs.Wait()
	detach()
	if !unhook() {
		<-stopped
	}
	closeErr := d.merger.Close()
	d.look(following, r)
	if ctx.Err() != nil {
		return fmt.Errorf("the load generators were stopped: %w", context.Cause(ctx))
	}
	return errors.Join(feedErr, d.explain(logErr), closeErr)
}

// stop has Kubernetes ask all processes to end, for which k6 writes what it has.
func (d *drive) stop(ctx context.Context, r Runner) {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	background := metav1.DeletePropagationBackground
	if err := r.Client.BatchV1().Jobs(r.Namespace).Delete(ctx, jobName,
		metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		r.note("stopping the load generators: " + err.Error()) // they end with the namespace
	}
}

// feed hands every pod the fixture, and then the signal to begin. detach ends the connections to
// the pods; it may be called once the logs have ended, because some container runtimes keep a
// connection as long as its container.
func (d *drive) feed(ctx context.Context, r Runner, fixture []byte) (detach func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	s := newStarter(len(d.names))
	group, attached := errgroup.WithContext(ctx)
	for _, name := range d.names {
		in := s.input(attached, bytes.NewReader(fixture))
		group.Go(func() error {
			err := r.Feed(attached, r.Namespace, name, container, in)
			if in.ended.Load() {
				return nil // the log says what came of it
			}
			return cmp.Or(err, errors.New("pod "+name+" closed its standard input before the load began"))
		})
	}
	detach = func() {
		cancel()
		_ = group.Wait()
	}
	handover, done := context.WithTimeoutCause(attached, handoverTimeout,
		errors.New("handing the fixture over took too long"))
	defer done()
	if err = s.await(handover); err == nil {
		d.begin, err = s.goAhead(handover)
	}
	if err == nil {
		r.note("k6: all load generators begin at " + d.begin.UTC().Format(time.TimeOnly) + " UTC")
		return detach, nil
	}
	return detach, exit.Environmentf("load generators", "see whether the API server lets Steamer attach to pods", "%w",
		err)
}

// look records which pods failed.
func (d *drive) look(ctx context.Context, r Runner) {
	pods, err := r.pods(ctx)
	if err != nil {
		return // the logs say whether they are complete
	}
	for i := range pods {
		for index, name := range d.names {
			if pods[i].Name == name {
				d.failed[index] = failure(&pods[i])
			}
		}
	}
}

// explain adds to an error of a log what became of the pods and what they said last.
func (d *drive) explain(logErr error) error {
	var problems []error
	for i, failed := range d.failed {
		if failed == "" {
			continue
		}
		text := d.names[i] + ": " + failed
		if said := d.tails[i].String(); said != "" {
			text += "\n  k6 said: " + strings.ReplaceAll(said, "\n", "\n           ")
		}
		problems = append(problems, errors.New(text))
	}
	if err := errors.Join(append(problems, logErr)...); err != nil {
		return exit.Environmentf("load generators", "see k6's last messages above", "%w", err)
	}
	return nil
}

// describe completes the load: its parts, and why it is not what one process would have recorded.
func (d *drive) describe(l *result.Load, rate float64) {
	l.Parts = d.merger.Parts()
	l.Settle()
	reasons := []string{l.Partial}
	late := load.Late(tolerance, len(d.names), rate)
	for i := range l.Parts {
		p := &l.Parts[i]
		p.Collections = d.traces[i].Collections()
		p.Segment = cmp.Or(p.Segment, load.Segment(i, len(l.Parts)))
		if d.failed[i] != "" {
			p.Problem = strings.TrimPrefix(p.Problem+"; "+d.failed[i], "; ")
			reasons = append(reasons, p.Name+": "+d.failed[i])
		}
		if p.LateSeconds > late {
			reasons = append(reasons, fmt.Sprintf("%s began %.0f s after the first", p.Name, p.LateSeconds))
		}
	}
	l.Partial = strings.TrimPrefix(strings.Join(reasons, "; "), "; ")
}
