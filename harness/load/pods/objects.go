package pods

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/load"
)

// Names of what a Runner makes in its namespace.
const (
	scriptsName = "k6-scripts"
	jobName     = "k6"
	container   = "k6"
	scriptsDir  = "/scripts"
)

// Component is the label app.kubernetes.io/name of the pods, by which an observer tells them from
// others.
const Component = "k6"

// userID is the user of the image that Steamer builds; any other image runs as it too.
const userID = 65532

// alignSeconds is the grid of Unix time on which the processes begin.
const alignSeconds = 10

func (r Runner) labels() map[string]string {
	labels := map[string]string{"app.kubernetes.io/name": Component, "app.kubernetes.io/managed-by": "steamer"}
	maps.Copy(labels, r.Labels)
	return labels
}

// namespace is one of the run's own, which admits only pods that keep to Kubernetes' strictest
// profile.
func (r Runner) namespace() *corev1.Namespace {
	labels := r.labels()
	labels["pod-security.kubernetes.io/enforce"] = "restricted"
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: r.Namespace, Labels: labels,
		Annotations: cluster.OwnMark(),
	}}
}

func (r Runner) configMap(scripts map[string]string) *corev1.ConfigMap {
	data := make(map[string]string, len(scripts))
	for path, text := range scripts {
		data[key(path)] = text
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: scriptsName, Namespace: r.Namespace, Labels: r.labels()},
		Data:       data,
	}
}

// job runs the load once: a pod that fails is not replaced, because a load with a hole measures
// nothing. limit bounds its pods' life, also when nobody is left to remove them.
func (r Runner) job(j load.Job, scripts map[string]string, limit time.Duration) *batchv1.Job {
	n, none, seconds, after := int32(r.Parallelism), int32(0), int64(limit.Seconds()), int32(600)
	indexed := batchv1.IndexedCompletion
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: jobName, Namespace: r.Namespace, Labels: r.labels()},
		Spec: batchv1.JobSpec{
			Completions: &n, Parallelism: &n, CompletionMode: &indexed, BackoffLimit: &none, ActiveDeadlineSeconds: &seconds,
			TTLSecondsAfterFinished: &after,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: r.labels()},
				Spec:       r.pod(j, scripts),
			},
		},
	}
}

func (r Runner) pod(j load.Job, scripts map[string]string) corev1.PodSpec {
	yes, no, user, grace := true, false, int64(userID), int64(r.stopTimeout().Seconds())
	var items []corev1.KeyToPath
	for _, path := range slices.Sorted(maps.Keys(scripts)) {
		items = append(items, corev1.KeyToPath{Key: key(path), Path: path})
	}
	return corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
		TerminationGracePeriodSeconds: &grace,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, FSGroup: &user,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		// Generators share what is left of the nodes evenly; where there is one node, they share
		// that.
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector: &metav1.LabelSelector{MatchLabels: r.labels()},
		}},
		Volumes: []corev1.Volume{{Name: "scripts", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: scriptsName}, Items: items,
		}}}},
		Containers: []corev1.Container{{
			Name: container, Image: r.Image, ImagePullPolicy: corev1.PullIfNotPresent, Resources: r.Resources,
			// The log goes to standard output, where the API server has it; the fixture comes in
			// by standard input, whose end is the signal to begin. Neither is ever in a file.
			Args: append(load.Arguments("/dev/stdout"), scriptsDir+"/"+MainScript), Stdin: true, StdinOnce: true,
			Env: r.environment(j),
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			VolumeMounts: []corev1.VolumeMount{{Name: "scripts", MountPath: scriptsDir, ReadOnly: true}},
		}},
	}
}

// environment is that of a local k6, and which share of the load the pod has: its index in the
// Job.
func (r Runner) environment(j load.Job) []corev1.EnvVar {
	var env []corev1.EnvVar
	for _, setting := range append(load.Settings(j), share(strconv.Itoa(r.Parallelism), strconv.Itoa(alignSeconds))...) {
		name, value, _ := strings.Cut(setting, "=")
		env = append(env, corev1.EnvVar{Name: name, Value: value})
	}
	return append(env, corev1.EnvVar{Name: "STEAMER_SEGMENT_INDEX", ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['" + batchv1.JobCompletionIndexAnnotation +
			"']"},
	}})
}

// share is what MainScript has to know besides its index.
func share(segments, align string) []string {
	return []string{"STEAMER_FIXTURE=/dev/stdin", "STEAMER_SEGMENTS=" + segments, "STEAMER_ALIGN=" + align}
}
