package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
)

// Exec runs a command in a container of a pod with input on its stdin (nil for none) and returns its stdout. The error holds the end of its stderr.
func (c *Cluster) Exec(ctx context.Context, namespace, pod, container string, input io.Reader, command ...string) ([]byte, error) {
	request := c.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: container, Command: command, Stdin: input != nil, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	websocket, err := remotecommand.NewWebSocketExecutor(c.REST, "GET", request.URL().String())
	if err != nil {
		return nil, err
	}
	spdy, err := remotecommand.NewSPDYExecutor(c.REST, "POST", request.URL())
	if err != nil {
		return nil, err
	}
	// API servers before Kubernetes 1.31 speak SPDY only.
	executor, err := remotecommand.NewFallbackExecutor(websocket, spdy, httpstream.IsUpgradeFailure)
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: input, Stdout: &stdout, Stderr: &stderr})
	if err != nil {
		return nil, fmt.Errorf("%s in pod %s/%s: %w: %s", command[0], namespace, pod, err, tail(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// stderrLimit bounds how much of a command's stderr an error shows, in bytes.
const stderrLimit = 500

func tail(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > stderrLimit {
		text = "… " + strings.ToValidUTF8(text[len(text)-stderrLimit:], "")
	}
	return text
}
