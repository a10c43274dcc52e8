package run

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/pods"
	"gitlab.com/steamer/steamer/harness/observe"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// sources are what is observed besides the containers.
func (s *stage) sources() []observe.Source {
	all := []observe.Source{
		observe.Database{Name: s.env.DatabaseName(), Session: s.env.DatabaseSession},
		observe.Warnings{},
		observe.Own{},
	}
	if !s.Plan.Cluster.Existing() { // else the cluster's machines are others than Steamer's
		all = append(all, observe.Host{})
	}
	if dialect := s.env.Spec.Dialect; dialect.MetricsPort != 0 {
		source := observe.PodSource{Client: s.cluster.Client}
		all = append(all, observe.Server{Selector: dialect.Selector, Read: observe.PodMetrics(source, dialect.MetricsPort)})
	}
	return all
}

// loadSuffix makes the name of the namespace of the load generators from that of the chart.
const loadSuffix = "-load"

// loadNamespace is where the load generators of this run are.
func (s *stage) loadNamespace() string { return s.env.Namespace + loadSuffix }

// target is where the load goes: the loopback port of a local k6, or for pods the active Service.
func (s *stage) target(ctx context.Context) (string, error) {
	if s.Plan.InCluster == nil {
		return s.env.Address, nil
	}
	return s.service(ctx)
}

// service is the URL of the active Service by its own address, so that pods look up no name.
func (s *stage) service(ctx context.Context) (string, error) {
	name := s.env.Spec.Dialect.ActiveService
	service, err := s.cluster.Client.CoreV1().Services(s.env.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", exit.Environmentf("Service "+name, "", "%w", err)
	}
	if len(service.Spec.Ports) == 0 {
		return "", exit.Environmentf("Service "+name, "", "it has no port")
	}
	host := service.Spec.ClusterIP
	if host == corev1.ClusterIPNone || host == "" {
		host = fmt.Sprintf("%s.%s.svc", name, s.env.Namespace)
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(int(service.Spec.Ports[0].Port))), nil
}

// generate drives the load by a local k6 or by pods.
func (s *stage) generate(ctx context.Context, j load.Job, progress func(result.Interval)) (*result.Load, error) {
	scripts := filepath.Join(s.Root, "perf/scripts")
	in := s.Plan.InCluster
	if in == nil {
		return load.Runner{Binary: s.k6, Scripts: scripts, Dir: s.dir, Progress: progress}.Run(ctx, j)
	}
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
			return nil, err // the plan has been checked
		}
		limits[name] = parsed
	}
	runner := pods.Runner{
		Client: s.cluster.Client, Feed: s.cluster.Feed, Image: s.images[images.K6].Ref, Namespace: s.loadNamespace(),
		Labels: map[string]string{topology.OwnerLabel: s.env.Spec.Run}, Parallelism: in.Parallelism, Scripts: scripts,
		Dir:       s.dir,
		Resources: corev1.ResourceRequirements{Limits: limits}, Progress: progress, Note: s.UI.Note,
	}
	l, err := runner.Run(ctx, j)
	if removal := s.undo(ctx, cleanup{"load generators of " + j.Name, runner.Remove}); err == nil {
		err = removal
	}
	return l, err
}

// accountPods completes what load generators in pods cost, from what was observed of their
// containers.
func (s *stage) accountPods() {
	l := s.out.Load
	if s.Plan.InCluster == nil || l == nil {
		return
	}
	whole, cpus, seen := l.Whole(), s.result.Run.Host.Usable(), 0
	for i := range s.out.Resources {
		series := &s.out.Resources[i]
		if series.Component != pods.Component {
			continue
		}
		used, _ := series.CPUSeconds(whole)
		peak, _ := series.PeakMemory(whole)
		l.Generator.CPUSeconds += used
		l.Generator.MaxRSSMiB = max(l.Generator.MaxRSSMiB, peak)
		if _, ok := series.CPUCores(whole); ok {
			seen++
		}
	}
	known := seen >= max(1, len(l.Parts))
	if !known { // a pod that nobody watched makes the share unknown, not smaller, unless the processes say themselves what they used
		l.Generator.CPUSeconds, known = ownAccount(l.Parts)
	}
	if seconds := whole.To.Sub(whole.From).Seconds(); known && seconds > 0 && cpus > 0 {
		l.Generator.CPUShare = l.Generator.CPUSeconds / (seconds * cpus)
	}
}

// ownAccount is the CPU time in seconds of k6 processes by their own account; ok is false where one
// does not tell.
func ownAccount(parts []result.LoadPart) (seconds float64, ok bool) {
	for _, p := range parts {
		if p.CPUSeconds <= 0 {
			return 0, false
		}
		seconds += p.CPUSeconds
	}
	return seconds, len(parts) > 0
}
