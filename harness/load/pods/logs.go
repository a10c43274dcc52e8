package pods

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// reopenDelay is the pause before a log whose stream broke is opened again.
const reopenDelay = time.Second

// follow copies a pod's log to to as it grows, until the pod has ended. A stream that breaks
// before, as when the API server restarts, is opened again and taken up where it broke.
func (r Runner) follow(ctx context.Context, pod string, to io.Writer) error {
	taken := int64(0)
	for {
		n, err := r.read(ctx, pod, taken, to)
		taken += n
		var refused writeError
		if errors.As(err, &refused) {
			return refused.error
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		over, lookErr := r.ended(ctx, pod)
		if over && err == nil {
			return nil
		}
		if over {
			return fmt.Errorf("its log: %w", err)
		}
		timer := time.NewTimer(reopenDelay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(context.Cause(ctx), err, lookErr)
		}
	}
}

// writeError is the receiver's own error, upon which there is no use in reading on.
type writeError struct{ error }

// read copies the log from its byte skip on, and returns how many it has copied.
func (r Runner) read(ctx context.Context, pod string, skip int64, to io.Writer) (int64, error) {
	stream, err := r.Client.CoreV1().Pods(r.Namespace).GetLogs(pod, &corev1.PodLogOptions{
		Container: container,
		Follow:    true,
	}).Stream(ctx)
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	if _, err := io.CopyN(io.Discard, stream, skip); err != nil {
		return 0, fmt.Errorf("the first %d bytes are gone: %w", skip, err)
	}
	buffer, copied := make([]byte, 32<<10), int64(0)
	for {
		n, err := stream.Read(buffer)
		copied += int64(n)
		if n > 0 {
			if _, writeErr := to.Write(buffer[:n]); writeErr != nil {
				return copied, writeError{writeErr}
			}
		}
		if errors.Is(err, io.EOF) {
			return copied, nil
		}
		if err != nil {
			return copied, err
		}
	}
}

// ended reports whether a pod has ended or is gone.
func (r Runner) ended(ctx context.Context, pod string) (bool, error) {
	p, err := r.Client.CoreV1().Pods(r.Namespace).Get(ctx, pod, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed, nil
}
