package cluster

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// logLimit bounds how much of a log is read, in bytes from its start.
const logLimit = 4 << 20

// Log returns what OpenBao in a pod has written, before that what it wrote in its previous life, if it had one.
func Log(ctx context.Context, env *scenario.Env, pod string) (string, error) {
	var b strings.Builder
	limit := int64(logLimit)
	for _, previous := range []bool{true, false} {
		data, err := env.Kube.CoreV1().Pods(env.Namespace).GetLogs(pod, &corev1.PodLogOptions{
			Container: env.Container, Previous: previous, LimitBytes: &limit,
		}).DoRaw(ctx)
		if err != nil && !previous {
			return "", fmt.Errorf("log of pod %s: %w", pod, err)
		}
		if err == nil {
			b.Write(data)
		}
	}
	return b.String(), nil
}

// Metrics returns what a pod's metrics port serves, in Prometheus' text format, whatever state the pod is in.
func Metrics(ctx context.Context, env *scenario.Env, pod string) ([]byte, error) {
	status, raw, err := Ask(ctx, env, pod, Get{Port: env.Metrics, Path: "/v1/sys/metrics?format=prometheus"})
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("metrics of pod %s: status %d", pod, status)
	}
	return raw, err
}
