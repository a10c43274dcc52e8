package kind

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/pods"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/delay"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Drive runs k6 against the active Service while the target is observed.
func (t *Target) Drive(ctx context.Context, job target.Job) (target.Observation, error) {
	address, err := t.address(ctx)
	if err != nil {
		return target.Observation{}, err
	}
	length := time.Duration(job.Profile.Warmup) + time.Duration(job.Profile.Duration)
	fixture, err := t.tenancy.Fixture(address, job.Profile, length, t.trust()...)
	if err != nil {
		return target.Observation{}, err
	}
	observed, err := t.watch(ctx)
	if err != nil {
		return target.Observation{}, err
	}
	measured, err := t.generate(ctx, load.Job{
		Name: job.Name, Profile: job.Profile, Rate: job.Rate, Target: address, Fixture: fixture,
		Thresholds: job.Thresholds,
	}, job.Progress)
	seen := observed()
	seen.Load = measured
	if t.options.InCluster != nil && measured != nil {
		account(&seen, platform.ThisHost().Usable())
	}
	seen.Cost = seen.DeriveCost()
	return observation(seen), err
}

// observation adds to what was seen how much of the host others used.
func observation(seen result.Topology) target.Observation {
	o := target.Observation{Topology: seen}
	if seen.Load == nil {
		return o
	}
	w := seen.Load.Measured()
	// Without the nodes Kubernetes is among the others, and it grows with the rate.
	if strangers, ok := seen.Others(w); ok && len(seen.Nodes) > 0 {
		o.Strangers = &strangers
	}
	if seen.Host != nil {
		if all, ok := seen.Host.CPUCores(w); ok {
			rest := max(0, all-cores(&seen, w, "openbao", "postgresql")-seen.Load.Generator.Cores(w))
			o.Others = &rest
		}
	}
	return o
}

// cores is how many cores the containers of some components used on average.
func cores(seen *result.Topology, w result.Window, components ...string) (sum float64) {
	for i := range seen.Resources {
		for _, name := range components {
			if seen.Resources[i].Component == name {
				used, _ := seen.Resources[i].CPUCores(w)
				sum += used
			}
		}
	}
	return sum
}

// address is where the load goes: the loopback port or the proxy in front of it for a local k6,
// the active Service for pods.
func (t *Target) address(ctx context.Context) (string, error) {
	switch {
	case t.options.InCluster != nil:
		return t.service(ctx)
	case t.proxy != nil:
		return t.env.Scheme() + "://" + t.proxy.Address(), nil
	}
	return t.env.Address, nil
}

// trust has load generators trust the certificate of a target with TLS.
func (t *Target) trust() []gitlab.FixtureOption {
	if ca := t.env.CA(); ca != nil {
		return []gitlab.FixtureOption{gitlab.WithCA(string(ca))}
	}
	return nil
}

// service is the URL of the active Service: by its own address, so that pods look up no name, or
// by the name that its certificate has.
func (t *Target) service(ctx context.Context) (string, error) {
	name := t.env.Spec.Dialect.ActiveService
	service, err := t.platform.Cluster.Client.CoreV1().Services(t.env.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", exit.Environmentf("Service "+name, "", "%w", err)
	}
	if len(service.Spec.Ports) == 0 {
		return "", exit.Environmentf("Service "+name, "", "it has no port")
	}
	host := service.Spec.ClusterIP
	if host == corev1.ClusterIPNone || host == "" || t.env.Spec.TLS { // the certificate names no ClusterIP
		host = fmt.Sprintf("%s.%s.svc", name, t.env.Namespace)
	}
	return t.env.Scheme() + "://" + net.JoinHostPort(host, strconv.Itoa(int(service.Spec.Ports[0].Port))), nil
}

// SetDelay delays every answer that a local k6 gets from now on.
func (t *Target) SetDelay(by time.Duration) error {
	if t.proxy == nil {
		u, err := url.Parse(t.env.Address)
		if err != nil {
			return err
		}
		if t.proxy, err = delay.Start(u.Host); err != nil {
			return err
		}
	}
	return t.proxy.Set(by)
}

// generate drives the load by a local k6 or by pods.
func (t *Target) generate(ctx context.Context, j load.Job, progress func(result.Interval)) (*result.Load, error) {
	scripts := filepath.Join(t.platform.Root(), "perf/scripts")
	in := t.options.InCluster
	if in == nil {
		return load.Runner{
			Binary: t.platform.K6, Scripts: scripts, Dir: t.options.Dir, Progress: progress,
		}.Run(ctx, j)
	}
	limits, err := limitsOf(in)
	if err != nil {
		return nil, err // the plan has been checked
	}
	runner := pods.Runner{
		Client: t.platform.Cluster.Client, Feed: t.platform.Cluster.Feed, Image: t.platform.Images[images.K6].Ref,
		Namespace: platform.LoadNamespace(t.env.Namespace), Labels: map[string]string{topology.OwnerLabel: t.env.Spec.Run},
		Parallelism: in.Parallelism, Scripts: scripts, Dir: t.options.Dir,
		Resources: corev1.ResourceRequirements{Limits: limits}, Progress: progress, Note: t.note,
	}
	remove := t.platform.Steps.Cleanup("load generators of "+j.Name, runner.Remove)
	l, err := runner.Run(ctx, j)
	if removal := remove.Now(ctx); err == nil {
		err = removal
	}
	return l, err
}

// limitsOf are what each pod that drives load may use.
func limitsOf(in *plan.InCluster) (corev1.ResourceList, error) {
	limits := corev1.ResourceList{}
	for name, quantity := range map[corev1.ResourceName]string{
		corev1.ResourceCPU:    in.CPU,
		corev1.ResourceMemory: in.Memory,
	} {
		if quantity == "" {
			continue
		}
		parsed, err := resource.ParseQuantity(quantity)
		if err != nil {
			return nil, err
		}
		limits[name] = parsed
	}
	return limits, nil
}

// account completes what load generators in pods cost, from what was observed of their containers
// on a host with some CPUs.
func account(seen *result.Topology, cpus float64) {
	l := seen.Load
	whole, watched := l.Whole(), 0
	for i := range seen.Resources {
		series := &seen.Resources[i]
		if series.Component != pods.Component {
			continue
		}
		used, _ := series.CPUSeconds(whole)
		peak, _ := series.PeakMemory(whole)
		l.Generator.CPUSeconds += used
		l.Generator.MaxRSSMiB = max(l.Generator.MaxRSSMiB, peak)
		if _, ok := series.CPUCores(whole); ok {
			watched++
		}
	}
	known := watched >= max(1, len(l.Parts))
	if !known { // an unobserved pod makes the share unknown, not smaller, unless the processes report what they used
		l.Generator.CPUSeconds, known = reported(l.Parts)
	}
	if seconds := whole.To.Sub(whole.From).Seconds(); known && seconds > 0 && cpus > 0 {
		l.Generator.CPUShare = l.Generator.CPUSeconds / (seconds * cpus)
	}
}

// reported is the CPU time in seconds of k6 processes by their own account; ok is false where one
// does not report it.
func reported(parts []result.LoadPart) (seconds float64, ok bool) {
	for _, p := range parts {
		if p.CPUSeconds <= 0 {
			return 0, false
		}
		seconds += p.CPUSeconds
	}
	return seconds, len(parts) > 0
}
