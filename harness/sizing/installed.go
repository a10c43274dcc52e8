package sizing

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/wait"
)

// labelActive is how OpenBao's service registration marks the pod that leads.
const labelActive = "openbao-active"

// Installed is a topology on a cluster. Its times are those of clients: they include what
// Kubernetes takes to replace a pod.
type Installed struct {
	target.Target
	env     *scenario.Env
	tenants []gitlab.Tenant
}

// NewInstalled makes one of a target. Call the function when done.
func NewInstalled(t target.Target) (*Installed, func(), error) {
	env, done, err := t.Env()
	if err != nil {
		return nil, nil, err
	}
	return &Installed{Target: t, env: env, tenants: env.Tenants}, done, nil
}

// disturbTimeout bounds how long pods may take to be ready again, and probeEvery is how often a
// fetch is tried meanwhile.
const (
	disturbTimeout = 5 * time.Minute
	probeEvery     = 20 * time.Millisecond
)

func (s *Installed) pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := s.env.Kube.CoreV1().Pods(s.env.Namespace).List(ctx, metav1.ListOptions{LabelSelector: s.env.Selector})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// Restart deletes all pods.
func (s *Installed) Restart(ctx context.Context) (float64, error) {
	pods, err := s.pods(ctx)
	if err != nil {
		return 0, err
	}
	return s.outage(ctx, func() error {
		var errs []error
		for _, pod := range pods {
			errs = append(errs, s.env.Kube.CoreV1().Pods(s.env.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{}))
		}
		return errors.Join(errs...)
	})
}

// Failover deletes the active pod, or kills OpenBao in it.
func (s *Installed) Failover(ctx context.Context, kill bool) (float64, error) {
	pods, err := s.pods(ctx)
	if err != nil {
		return 0, err
	}
	for _, pod := range pods {
		if pod.Labels[labelActive] != "true" {
			continue
		}
		return s.outage(ctx, func() error {
			if kill {
				return s.env.Processes.Signal(ctx, s.env.Namespace, pod.Name, s.env.Container, "KILL")
			}
			return s.env.Kube.CoreV1().Pods(s.env.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{})
		})
	}
	return 0, errors.New("no pod is marked as the active one")
}

// outage disturbs, and returns the time from the first fetch that failed to the first that worked
// again, 0 when none failed within the time after which all pods were ready and stayed so.
func (s *Installed) outage(ctx context.Context, disturb func() error) (float64, error) {
	if err := disturb(); err != nil {
		return 0, err
	}
	var from, to time.Time
	t := s.tenants[0]
	_, err := wait.Until(ctx, wait.For{
		What: "all pods are ready and fetches work", Successes: 3, Interval: probeEvery,
		Deadline: disturbTimeout,
	}, func(ctx context.Context) error {
		before := time.Now()
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		err := s.env.Check(try, t, t.Secrets[0])
		switch {
		case err != nil && from.IsZero():
			from = before
		case err == nil && !from.IsZero():
			if to.IsZero() {
				to = time.Now()
			}
		case err != nil:
			to = time.Time{} // it was not over
		}
		if err != nil {
			return err
		}
		return s.ready(ctx)
	})
	if err != nil || from.IsZero() {
		return 0, err
	}
	return to.Sub(from).Seconds(), nil
}

// ready reports what keeps the pods from being in their normal state: as many as before, all ready,
// one active.
func (s *Installed) ready(ctx context.Context) error {
	pods, err := s.pods(ctx)
	if err != nil {
		return err
	}
	active, ready := 0, 0
	for _, pod := range pods {
		if pod.Labels[labelActive] == "true" {
			active++
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil {
				ready++
			}
		}
	}
	if active != 1 || ready != len(pods) || ready < 2 {
		return fmt.Errorf("%d pods, %d ready, %d active", len(pods), ready, active)
	}
	return nil
}
