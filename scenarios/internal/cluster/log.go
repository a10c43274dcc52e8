package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/tail"
)

// logLimit bounds how much is read of a log, in bytes.
const logLimit = 4 << 20

// Log returns the end of OpenBao's log in a pod. The end of the previous container's log comes
// first, if there was one.
func Log(ctx context.Context, env *scenario.Env, pod string) (string, error) {
	return logs(ctx, env, pod, tail.Read)
}

// Opening is Log with the beginnings of the logs, where OpenBao reports its configuration.
func Opening(ctx context.Context, env *scenario.Env, pod string) (string, error) {
	return logs(ctx, env, pod, func(log io.Reader, limit int) (string, error) {
		data, err := io.ReadAll(io.LimitReader(log, int64(limit)))
		return string(data), err
	})
}

// logs reads both logs of a pod. The API's own limit in bytes counts from the start, so the
// streams are read.
func logs(ctx context.Context, env *scenario.Env, pod string, read func(io.Reader, int) (string, error)) (string,
	error,
) {
	var b strings.Builder
	for _, previous := range []bool{true, false} {
		stream, err := env.Kube.CoreV1().Pods(env.Namespace).GetLogs(pod, &corev1.PodLogOptions{
			Container: env.Container, Previous: previous,
		}).Stream(ctx)
		text := ""
		if err == nil {
			text, err = read(stream, logLimit)
			_ = stream.Close()
		}
		if err != nil && !previous {
			return "", fmt.Errorf("log of pod %s: %w", pod, err)
		}
		if err == nil {
			b.WriteString(text)
		}
	}
	return b.String(), nil
}

// Metrics returns what a pod's metrics port serves, by name, whatever state the pod is in.
func Metrics(ctx context.Context, env *scenario.Env, pod string) (map[string]*dto.MetricFamily, error) {
	status, raw, err := Ask(ctx, env, pod, Get{
		Scheme: env.Scheme(), Port: env.Metrics, Path: "/v1/sys/metrics?format=prometheus",
	})
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("metrics of pod %s: status %d", pod, status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	found, err := parser.TextToMetricFamilies(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("metrics of pod %s: %w", pod, err)
	}
	return found, nil
}
