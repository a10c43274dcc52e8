package kind

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"gitlab.com/steamer/steamer/harness/target/outage"
	"gitlab.com/steamer/steamer/harness/wait"
)

// disturbTimeout bounds how long it may take until fetches work again. It is far above what is
// published for 10,000 namespaces.
const disturbTimeout = 5 * time.Minute

func (t *Target) pods() typedcorev1.PodInterface {
	return t.platform.Cluster.Client.CoreV1().Pods(t.env.Namespace)
}

// Restart deletes all pods. The seconds are those that clients see: they include what Kubernetes
// takes to replace the pods.
func (t *Target) Restart(ctx context.Context) (float64, error) {
	list, err := t.env.Pods(ctx)
	if err != nil {
		return 0, err
	}
	return t.outage(ctx, func(ctx context.Context) error { return t.delete(ctx, list) })
}

// Failover deletes the active pod, or kills OpenBao in it.
func (t *Target) Failover(ctx context.Context, kill bool) (float64, error) {
	active, err := t.env.Active(ctx)
	if err != nil {
		return 0, err
	}
	return t.outage(ctx, func(ctx context.Context) error {
		if kill {
			return t.env.Processes().Signal(ctx, active.Namespace, active.Name, t.env.Spec.Dialect.Container, "KILL")
		}
		return t.delete(ctx, []corev1.Pod{*active})
	})
}

// delete deletes pods, and waits until they are gone: until then they still answer.
func (t *Target) delete(ctx context.Context, list []corev1.Pod) error {
	var errs []error
	for _, pod := range list {
		errs = append(errs, t.pods().Delete(ctx, pod.Name, metav1.DeleteOptions{}))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, pod := range list {
		_, err := wait.Until(ctx, wait.For{
			What: "pod " + pod.Name + " is gone", Interval: 100 * time.Millisecond, Deadline: disturbTimeout,
		}, func(ctx context.Context) error {
			now, err := t.pods().Get(ctx, pod.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) || err == nil && now.UID != pod.UID {
				return nil
			}
			return errors.Join(err, errors.New("it still ends"))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// outage disturbs the target, waits until it is ready again, and returns for how many seconds no
// fetch was answered.
func (t *Target) outage(ctx context.Context, disturb func(context.Context) error) (float64, error) {
	env, done, err := t.Env()
	if err != nil {
		return 0, err
	}
	defer done()
	watch := outage.Fetches(ctx, env)
	err = disturb(ctx)
	if err == nil {
		_, err = wait.Until(ctx, wait.For{
			What: "fetches work again", Interval: env.Timeouts.Probe, Deadline: disturbTimeout,
		}, watch.Working())
	}
	if err == nil {
		err = t.env.AwaitReady(ctx)
	}
	seen := watch.Stop().Fresh
	if err == nil && seen.Wrong > 0 {
		err = fmt.Errorf("%d fetches got a wrong value: %w", seen.Wrong, outage.ErrWrong)
	}
	return seen.Unavailable.Seconds(), err
}
