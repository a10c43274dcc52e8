package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/wait"
)

// ProbeTimeout is how long a probe tries to connect.
const ProbeTimeout = 5 * time.Second

// Probe makes a pod with some labels that asks another OpenBao pod for its status, and reports
// whether it got an answer. The pod runs the other one's image as its user, and is removed.
func Probe(ctx context.Context, env *scenario.Env, labels map[string]string, to corev1.Pod) (reached bool, err error) {
	spec, err := prober(env, labels, to)
	if err != nil {
		return false, err
	}
	pods := env.Kube.CoreV1().Pods(env.Namespace)
	made, err := pods.Create(ctx, spec, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("a pod that probes the network: %w", err)
	}
	defer func() {
		now := int64(0)
		clean, done := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Fetch)
		defer done()
		err = errors.Join(err, pods.Delete(clean, made.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
	}()
	_, err = wait.Until(ctx, wait.For{
		What: "pod " + made.Name + " has tried to reach " + to.Name, Interval: env.Timeouts.Poll,
		Deadline: env.Timeouts.Ready,
	}, func(ctx context.Context) error {
		if made, err = pods.Get(ctx, made.Name, metav1.GetOptions{}); err != nil {
			return err
		}
		if len(made.Status.ContainerStatuses) == 1 && made.Status.ContainerStatuses[0].State.Terminated != nil {
			return nil
		}
		return fmt.Errorf("it is %s", made.Status.Phase)
	})
	if err != nil {
		return false, err
	}
	switch code := made.Status.ContainerStatuses[0].State.Terminated.ExitCode; code {
	case 0, 2: // unsealed or sealed
		return true, nil
	case 1:
		return false, nil
	default:
		return false, fmt.Errorf("the probe ended with code %d, which bao status does not", code)
	}
}

// prober is the pod of a probe.
func prober(env *scenario.Env, labels map[string]string, to corev1.Pod) (*corev1.Pod, error) {
	server, err := Server(env, to)
	if err != nil {
		return nil, err
	}
	if server.ReadinessProbe == nil || server.ReadinessProbe.HTTPGet == nil {
		return nil, fmt.Errorf("pod %s has no readiness probe by HTTP that names the port of its API", to.Name)
	}
	at := Probed(server, server.ReadinessProbe.HTTPGet)
	address := env.Scheme() + "://" + net.JoinHostPort(to.Status.PodIP, strconv.Itoa(at.Port))
	no := false
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "steamer-probe-", Namespace: env.Namespace, Labels: labels},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
			SecurityContext: to.Spec.SecurityContext, ImagePullSecrets: to.Spec.ImagePullSecrets,
			Tolerations: to.Spec.Tolerations,
			Containers: []corev1.Container{{
				Name: "probe", Image: server.Image, ImagePullPolicy: corev1.PullIfNotPresent,
				Command: []string{"bao", "status", "-tls-skip-verify", "-address=" + address},
				Env: []corev1.EnvVar{
					{Name: "BAO_CLIENT_TIMEOUT", Value: ProbeTimeout.String()},
					{Name: "BAO_MAX_RETRIES", Value: "0"},
				},
				SecurityContext: server.SecurityContext, Resources: server.Resources,
			}},
		},
	}, nil
}
