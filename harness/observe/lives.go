package observe

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"gitlab.com/steamer/steamer/harness/load/pods"
	"gitlab.com/steamer/steamer/harness/result"
)

// life is what is known of one pod, which its UID tells from its replacement of the same name.
type life struct {
	ran  bool // it was seen running
	told bool // its end is an event, or came before the watch began
}

// hand gives a state of a pod to changed. A pod whose end was missed comes as it was seen last.
func hand(changed func(time.Time, *corev1.Pod, bool), object any, gone bool) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if pod, ok := object.(*corev1.Pod); ok {
		changed(time.Now().UTC(), pod, gone)
	}
}

// follow takes in one state of a pod. A pod that ran and is deleted, evicted or fails is an event,
// once: what replaces it has another name or UID, and a restart count of 0. Jobs' pods end by
// themselves, and the load generators' are Steamer's to remove.
func (w *podWatcher) follow(now time.Time, pod *corev1.Pod, gone bool) {
	owned := slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "Job" })
	component := pod.Labels["app.kubernetes.io/name"]
	if owned || component == pods.Component {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ending := gone || pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed
	one := w.lives[pod.UID]
	if one == nil {
		one = &life{told: ending}
		w.lives[pod.UID] = one
	}
	one.ran = one.ran || pod.Status.Phase == corev1.PodRunning
	if !ending || one.told || !one.ran {
		return
	}
	one.told = true
	event := result.Event{At: now, Kind: "replacement", Component: component, Name: pod.Name, Reason: "Deleted"}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			event.Reason, event.Message = c.Reason, c.Message
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		event.Reason, event.Message = cmp.Or(pod.Status.Reason, "Failed"), pod.Status.Message
	}
	if len(event.Message) > maxDetail {
		event.Message = event.Message[:maxDetail] + " …"
	}
	event.Detail = "pod " + pod.Namespace + "/" + pod.Name + " was lost (" + event.Reason + ")"
	if event.Message != "" {
		event.Detail += ": " + event.Message
	}
	w.timeline = append(w.timeline, event)
}

// runningContainers are the containers that ran in the last state that was read.
func (w *podWatcher) runningContainers() []result.ResourceSeries {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []result.ResourceSeries
	for _, in := range w.running {
		for _, described := range in {
			all = append(all, described)
		}
	}
	return all
}
