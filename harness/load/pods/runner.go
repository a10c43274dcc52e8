// Package pods drives k6 in a cluster, for more load than one process makes or from where jobs
// really come: an Indexed Job whose pods share one schedule by k6's execution segments, begin
// together, and are merged into one result.
package pods

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/wait"
)

// Timeouts of a load by pods, and how far apart its processes may begin.
const (
	// defaultStartTimeout bounds the time until all pods run, the pull of their image included.
	defaultStartTimeout = 2 * time.Minute
	// defaultStopTimeout is how long k6 may take to end after it was asked to, before it is
	// killed.
	defaultStopTimeout = 30 * time.Second
	// handoverTimeout bounds how long it may take to hand the fixture to all pods.
	handoverTimeout = time.Minute
	// removeTimeout bounds the removal of the namespace.
	removeTimeout = time.Minute
	// tolerance is how much later than the first a process may begin.
	tolerance = load.DefaultTolerance
)

// poll is the pause between two looks at pods.
const poll = 500 * time.Millisecond

// Runner drives k6 by pods. All fields but the last ones are required.
type Runner struct {
	Client kubernetes.Interface
	// Feed writes input to the standard input of a container that was started with one, and closes
	// it at input's end.
	Feed        func(ctx context.Context, namespace, pod, container string, input io.Reader) error
	Image       string // of k6 with the extension; its entrypoint is k6
	Namespace   string // made for the run and removed by Remove
	Labels      map[string]string
	Parallelism int    // pods, at least 1
	Scripts     string // directory of the workload scripts
	Dir         string // existing directory for the merged log, which stays there as evidence

	Resources corev1.ResourceRequirements // of each pod
	Progress  func(result.Interval)       // called about once a second; may be nil
	Note      func(string)                // what is being waited for; may be nil

	StartTimeout time.Duration // 0 means defaultStartTimeout
	StopTimeout  time.Duration // 0 means defaultStopTimeout
	Overrun      time.Duration // 0 means load.DefaultOverrun
}

// Run drives one workload to its end and returns what all pods together measured. Like
// load.Runner.Run it returns what there is also with an error, its Partial set, and asks k6 to end
// when ctx is cancelled. The generator's CPU time and memory are not in it: the pods are observed
// like any others, see Component. Remove has to be called afterwards.
func (r Runner) Run(ctx context.Context, j load.Job) (*result.Load, error) {
	plan := j.Plan()
	startTimeout := cmp.Or(r.StartTimeout, defaultStartTimeout)
	limit := startTimeout + handoverTimeout + 2*alignSeconds*time.Second + plan.Warmup + plan.Duration +
		cmp.Or(r.Overrun, load.DefaultOverrun)
	if err := r.create(ctx, j, limit); err != nil {
		return nil, err
	}
	r.note(fmt.Sprintf("k6: waiting for %d pods in namespace %s", r.Parallelism, r.Namespace))
	names, err := r.awaitRunning(ctx, startTimeout)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit,
		exit.Environmentf("k6", "look for a stalled server in the run's logs", "still running after %v", limit))
	defer cancel()
	path := filepath.Join(r.Dir, "k6-"+j.Name+".ndjson")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, exit.Environmentf(path, "make the run directory writable", "%w", err)
	}
	rec := &load.Recorder{Thresholds: j.Thresholds, OnInterval: func(iv result.Interval, _ int64) {
		if r.Progress != nil {
			r.Progress(iv)
		}
	}}
	d := newDrive(io.MultiWriter(log, rec), names)
	driveErr := errors.Join(d.run(ctx, r, j.Fixture), log.Close())
	l, err := rec.Finish(plan)
	if err != nil {
		return nil, errors.Join(driveErr, exit.Environmentf(path, "see the messages of the pods above", "%w", err))
	}
	j.Describe(l)
	d.describe(l, j.Rate)
	return l, driveErr
}

func (r Runner) note(text string) {
	if r.Note != nil {
		r.Note(text)
	}
}

func (r Runner) stopTimeout() time.Duration { return cmp.Or(r.StopTimeout, defaultStopTimeout) }

// create makes the namespace, the scripts and the Job.
func (r Runner) create(ctx context.Context, j load.Job, limit time.Duration) error {
	scripts, err := Scripts(r.Scripts, j.Profile.Workload)
	if err != nil {
		return err
	}
	_, err = r.Client.CoreV1().Namespaces().Create(ctx, r.namespace(), metav1.CreateOptions{})
	if err == nil {
		_, err = r.Client.CoreV1().ConfigMaps(r.Namespace).Create(ctx, r.configMap(scripts), metav1.CreateOptions{})
	}
	if err == nil {
		_, err = r.Client.BatchV1().Jobs(r.Namespace).Create(ctx, r.job(j, scripts, limit), metav1.CreateOptions{})
	}
	if err != nil {
		return exit.Environmentf("load generators in namespace "+r.Namespace,
			"the kubeconfig's user has to be allowed to create namespaces, config maps and jobs", "%w", err)
	}
	return nil
}

func (r Runner) pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := r.Client.CoreV1().Pods(r.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + Component})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// awaitRunning returns the pods' names by index.
func (r Runner) awaitRunning(ctx context.Context, timeout time.Duration) ([]string, error) {
	inVain, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var names []string
	_, err := wait.Until(inVain, wait.For{What: "all load generators run", Interval: poll, Deadline: timeout},
		func(ctx context.Context) error {
			pods, err := r.pods(ctx)
			if err != nil {
				return err
			}
			fatal := false
			if names, fatal, err = running(pods, r.Parallelism); fatal {
				stop(err)
			}
			return err
		})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if cause := context.Cause(inVain); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return nil, exit.Environmentf("load generators", "kubectl describe pods --namespace "+r.Namespace+
			" says more on a kept cluster", "%w", err)
	}
	return names, nil
}

// Remove deletes the namespace with all that is in it, if it is this run's, and waits until it is
// gone.
func (r Runner) Remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	all := r.Client.CoreV1().Namespaces()
	mine := func(ctx context.Context) (bool, error) {
		namespace, err := all.Get(ctx, r.Namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		for name, value := range r.Labels {
			if err == nil && namespace.Labels[name] != value {
				return false, nil
			}
		}
		return err == nil, err
	}
	if there, err := mine(ctx); err != nil || !there {
		return err
	}
	if err := all.Delete(ctx, r.Namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return exit.Environmentf("namespace "+r.Namespace, "kubectl delete namespace "+r.Namespace, "%w", err)
	}
	_, err := wait.Until(ctx, wait.For{What: "namespace " + r.Namespace + " is gone", Interval: poll},
		func(ctx context.Context) error {
			there, err := mine(ctx)
			if err == nil && there {
				err = errors.New("something in it is not removed")
			}
			return err
		})
	return err
}
