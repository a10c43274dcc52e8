package observe

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// Warnings adds the warning events that Kubernetes recorded about the observed namespaces to the
// events. It is a Source.
type Warnings struct{}

// listTimeout bounds the one listing, at the end.
const listTimeout = 10 * time.Second

// maxWarnings and maxDetail bound what events add to a result.
const (
	maxWarnings = 100
	maxDetail   = 300 // bytes
)

func (Warnings) attach(ctx context.Context, o *Observer) {
	// Events have a resolution of a second.
	since := time.Now().Truncate(time.Second)
	o.group.Go(func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listTimeout)
		defer cancel()
		for _, namespace := range o.pods.source.Namespaces {
			list, err := o.pods.source.Client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=" +
				corev1.EventTypeWarning})
			if err != nil {
				o.note(fmt.Errorf("events of namespace %s: %w", namespace, err))
				continue
			}
			o.pods.warned(since, list.Items)
		}
	})
}

// warned adds events that lie after since.
func (w *podWatcher) warned(since time.Time, events []corev1.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	added := 0
	for i := range events {
		e := &events[i]
		at := seen(e)
		if e.Type != corev1.EventTypeWarning || at.Before(since) || added == maxWarnings {
			continue
		}
		added++
		detail := fmt.Sprintf("%s %s: %s: %s", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason,
			secret.Redact(e.Message)) // before a cut that could leave half a secret
		if len(detail) > maxDetail {
			detail = strings.ToValidUTF8(detail[:maxDetail], "") + " …"
		}
		if n := max(e.Count, 1); n > 1 {
			detail += fmt.Sprintf(" (%d times)", n)
		}
		w.timeline = append(w.timeline, result.Event{At: at.UTC(), Kind: "kubernetes", Detail: detail})
	}
}

// seen is when an event happened last. Which field holds that depends on who recorded it.
func seen(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}
