package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream"

	"gitlab.com/steamer/steamer/harness/secret"
)

// Exec runs a command in a container of a pod with input on its stdin (nil for none) and returns
// its stdout. The error holds the end of its stderr.
func (c *Cluster) Exec(ctx context.Context, namespace, pod, container string, input io.Reader, command ...string) (
	[]byte, error,
) {
	var stdout bytes.Buffer
	err := c.ExecStream(ctx, namespace, pod, container, input, &stdout, command...)
	return stdout.Bytes(), err
}

// ExecStream is Exec for a command that one talks to while it runs: its stdout goes to output as
// it comes.
func (c *Cluster) ExecStream(ctx context.Context, namespace, pod, container string, input io.Reader, output io.Writer,
	command ...string,
) error {
	options := &corev1.PodExecOptions{
		Container: container, Command: command, Stdin: input != nil, Stdout: true,
		Stderr: true,
	}
	var stderr bytes.Buffer
	err := c.stream(ctx, namespace, pod, "exec", options, remotecommand.StreamOptions{
		Stdin: input, Stdout: output,
		Stderr: &stderr,
	})
	if err != nil {
		return fmt.Errorf("%s in pod %s/%s: %w: %s", command[0], namespace, pod, err, tail(stderr.String()))
	}
	return nil
}

// Feed writes input to the standard input of a container that was started with one, and closes it
// at input's end.
func (c *Cluster) Feed(ctx context.Context, namespace, pod, container string, input io.Reader) error {
	options := &corev1.PodAttachOptions{Container: container, Stdin: true}
	if err := c.stream(ctx, namespace, pod, "attach", options, remotecommand.StreamOptions{Stdin: input}); err != nil {
		return fmt.Errorf("standard input of pod %s/%s: %w", namespace, pod, err)
	}
	return nil
}

// stream connects streams to a subresource of a pod.
func (c *Cluster) stream(ctx context.Context, namespace, pod, subresource string, options runtime.Object,
	streams remotecommand.StreamOptions,
) error {
	request := c.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource(
		subresource).
		VersionedParams(options, scheme.ParameterCodec)
	websocket, err := remotecommand.NewWebSocketExecutor(c.REST, "GET", request.URL().String())
	if err != nil {
		return err
	}
	spdy, err := remotecommand.NewSPDYExecutor(c.REST, "POST", request.URL())
	if err != nil {
		return err
	}
	// API servers before Kubernetes 1.31 speak SPDY only.
	executor, err := remotecommand.NewFallbackExecutor(websocket, spdy, httpstream.IsUpgradeFailure)
	if err != nil {
		return err
	}
	return executor.StreamWithContext(silent(ctx), streams)
}

// silent keeps client-go from printing on standard error what its errors say anyway, such as that
// a pod has gone.
func silent(ctx context.Context) context.Context { return klog.NewContext(ctx, klog.Logger{}) }

// stderrLimit bounds how much of a command's stderr an error shows, in bytes.
const stderrLimit = 500

func tail(text string) string {
	text = secret.Redact(strings.TrimSpace(text)) // before a cut that could leave half a secret
	if len(text) > stderrLimit {
		text = "… " + strings.ToValidUTF8(text[len(text)-stderrLimit:], "")
	}
	return text
}
