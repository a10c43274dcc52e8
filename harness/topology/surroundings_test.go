package topology

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
)

// podOf is a pending pod of the chart, after changes.
func podOf(change ...func(*corev1.Pod)) corev1.Pod {
	requests := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("500m"),
		corev1.ResourceMemory: resource.MustParse("4G"),
	}
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "openbao-0", Namespace: "steamer-cn"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "openbao", Image: "own/openbao:1",
			Resources: corev1.ResourceRequirements{Requests: requests},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	for _, c := range change {
		c(&pod)
	}
	return pod
}

func unschedulable(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Reason: "Unschedulable", Message: message,
		}}
	}
}

func waiting(image, reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Image = image
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "openbao", Image: image, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
				Reason:  reason,
				Message: message,
			}},
		}}
	}
}

func gone(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, reason, message
	}
}

func said(reason, message string) corev1.Event {
	return corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: reason, Namespace: "steamer-cn"}, Reason: reason, Message: message,
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "openbao-0"},
		LastTimestamp:  metav1.NewTime(time.Unix(1, 0)),
	}
}

func nodeOf(kind corev1.NodeConditionType, status corev1.ConditionStatus) []corev1.Node {
	return []corev1.Node{{
		ObjectMeta: metav1.ObjectMeta{Name: "node"},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionTrue}, {Type: kind, Status: status, Message: "kubelet has it"},
		}},
	}}
}

// faults are what a cluster shows, and whose fault it is: want is part of what is said of the
// surroundings, "" where the chart is to blame.
func faults() map[string]struct {
	seen Surroundings
	want string
} {
	type row = struct {
		seen Surroundings
		want string
	}
	pods := func(p ...corev1.Pod) Surroundings { return Surroundings{Pods: p} }
	greedy := func(name corev1.ResourceName, much string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.Containers[0].Resources.Requests[name] = resource.MustParse(much) }
	}
	return map[string]row{
		"nothing": {pods(podOf()), ""},
		"disk pressure": {
			Surroundings{Nodes: nodeOf(corev1.NodeDiskPressure, corev1.ConditionTrue)},
			"node node: DiskPressure: kubelet has it",
		},
		"memory pressure": {
			Surroundings{Nodes: nodeOf(corev1.NodeMemoryPressure, corev1.ConditionTrue)},
			"MemoryPressure",
		},
		"too many processes":  {Surroundings{Nodes: nodeOf(corev1.NodePIDPressure, corev1.ConditionTrue)}, "PIDPressure"},
		"a good node":         {Surroundings{Nodes: nodeOf(corev1.NodeDiskPressure, corev1.ConditionFalse)}, ""},
		"a node that is away": {Surroundings{Nodes: nodeOf(corev1.NodeReady, corev1.ConditionUnknown)}, "it is not ready"},
		"evicted for the node": {
			pods(podOf(gone("Evicted", "The node was low on resource: ephemeral-storage. Container openbao was using 8Mi, "+
				"request is 0, has larger consumption of ephemeral-storage."))),
			"pod openbao-0: Evicted: The node was low",
		},
		"evicted for its own limit": {pods(podOf(
			gone("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."))), ""},
		"evicted for its own volume": {pods(podOf(
			gone("Evicted", `Usage of EmptyDir volume "tmp" exceeds the limit "1Mi".`))), ""},
		"no CPU left": {
			pods(podOf(
				unschedulable("0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available"))),
			"no room for it",
		},
		"no memory left": {
			pods(podOf(unschedulable("0/1 nodes are available: 1 Insufficient memory."))),
			"Insufficient memory",
		},
		"too many pods": {
			pods(podOf(unschedulable("0/1 nodes are available: 1 Too many pods."))),
			"Too many pods",
		},
		"a tainted node": {
			pods(podOf(unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint " +
				"{node.kubernetes.io/disk-pressure: }."))), "disk-pressure",
		},
		"asks for more CPU than the tier": {pods(podOf(greedy(corev1.ResourceCPU, "64"),
			unschedulable("0/1 nodes are available: 1 Insufficient cpu."))), ""},
		"asks for more memory than the tier": {pods(podOf(greedy(corev1.ResourceMemory, "64G"),
			unschedulable("0/1 nodes are available: 1 Insufficient memory."))), ""},
		"an affinity that nothing meets": {pods(
			podOf(unschedulable("0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."))), ""},
		"a volume that nobody makes": {pods(
			podOf(unschedulable("pod has unbound immediate PersistentVolumeClaims."))), ""},
		"Steamer's image": {pods(podOf(waiting("own/openbao:1", "ErrImageNeverPull",
			"image is not present with pull policy of Never"))), "no image for container openbao"},
		"the user's image does not exist": {pods(podOf(waiting("own/openbao:1", "ErrImagePull",
			"own/openbao:1: not found"))), "no image"},
		"the chart's image does not exist": {pods(podOf(waiting("theirs/helper:9", "ErrImagePull",
			`failed to resolve reference "theirs/helper:9": theirs/helper:9: not found`))), ""},
		"the chart's image is no name": {pods(podOf(waiting("Theirs/::9", "InvalidImageName",
			"couldn't parse image name"))), ""},
		"the registry is away": {
			pods(podOf(waiting("theirs/helper:9", "ErrImagePull",
				"dial tcp: lookup registry.example: no such host; not found"))), "no such host",
		},
		"nobody says why": {pods(podOf(waiting("theirs/helper:9", "ImagePullBackOff",
			`Back-off pulling image "theirs/helper:9"`))), "Back-off"},
		"an event says why": {Surroundings{
			Pods: []corev1.Pod{podOf(waiting("theirs/helper:9", "ImagePullBackOff",
				`Back-off pulling image "theirs/helper:9"`))},
			Events: []corev1.Event{said("Failed", `Failed to pull image "theirs/helper:9": manifest unknown`)},
		}, ""},
		"a container that crashes": {pods(podOf(waiting("own/openbao:1", "CrashLoopBackOff", "back-off restarting"))), ""},
		"a slow import": {Surroundings{
			Pods:   []corev1.Pod{podOf()},
			Events: []corev1.Event{said("Pulling", "Pulling image")},
		}, "still being pulled"},
		"pulled, and then stuck": {Surroundings{
			Pods:   []corev1.Pod{podOf()},
			Events: []corev1.Event{said("Pulling", "Pulling"), said("FailedMount", "secret not found")},
		}, ""},
		"no network for it": {Surroundings{
			Pods:   []corev1.Pod{podOf()},
			Events: []corev1.Event{said("FailedCreatePodSandBox", "plugin bridge failed")},
		}, "plugin bridge failed"},
		"a quota": {Surroundings{Events: []corev1.Event{said("FailedCreate",
			"forbidden: exceeded quota: team")}}, "exceeded quota"},
		"a policy": {Surroundings{Events: []corev1.Event{said("FailedCreate", "violates PodSecurity")}}, ""},
	}
}

func TestFaultOfSurroundings(t *testing.T) {
	t.Parallel()
	for name, tc := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.seen.Provided, tc.seen.Allowed = []string{"own/openbao:1"}, Resources{CPURequest: "500m", MemoryRequest: "4G"}
			got := tc.seen.Fault()
			if tc.want == "" {
				require.Empty(t, got)
			}
			require.Contains(t, got, tc.want)
		})
	}
}

// TestBlame asks a cluster: an environment's failure is an environment error, of which no FAIL
// comes, and the chart's a *ChartError.
func TestBlame(t *testing.T) {
	t.Parallel()
	failed := errors.New("not ready in time")
	blame := func(objects []runtime.Object, react error) error {
		client := fake.NewClientset(objects...)
		if react != nil {
			client.PrependReactor("list", "pods", func(k8stesting.Action) (bool, runtime.Object, error) {
				return true, nil,
					react
			})
		}
		e := &Environment{
			Spec:    Spec{Topology: CloudNativeHybrid, Images: Images{OpenBao: "own/openbao:1"}},
			Cluster: &cluster.Cluster{Client: client}, Namespace: "steamer-cn",
		}
		return e.Blame(context.Background(), failed)
	}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no"))
	pod, node := podOf(waiting("own/openbao:1", "ImagePullBackOff", "Back-off")), nodeOf(corev1.NodeDiskPressure,
		corev1.ConditionTrue)[0]
	for name, tc := range map[string]struct {
		objects []runtime.Object
		react   error
		chart   bool
	}{
		"nothing is wrong":        {chart: true},
		"no image":                {objects: []runtime.Object{&pod}},
		"node pressure":           {objects: []runtime.Object{&node}},
		"API server away":         {react: errors.New("dial tcp 127.0.0.1:6443: connect: connection refused")},
		"API server unwell":       {react: apierrors.NewServiceUnavailable("etcd is gone")},
		"not allowed to see pods": {react: forbidden, chart: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := blame(tc.objects, tc.react)
			var fault *ChartError
			require.Equal(t, tc.chart, errors.As(err, &fault), err)
			require.ErrorContains(t, err, "not ready in time")
			if !tc.chart {
				require.Equal(t, exit.Environment, exit.CodeOf(err))
			}
		})
	}
}
