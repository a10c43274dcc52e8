// Package testrun writes what the k6-operator needs to drive a load: a TestRun, the script in a
// ConfigMap and the fixture in a Secret. The operator runs k6 in pods, each with an equal share of
// the schedule, and begins them together; package merged makes one result of their logs.
//
// Facts about the operator are those of grafana/k6-operator v1.6.0 (commit cf0ae21f): its runners'
// command is "k6 run --quiet --execution-segment=… --execution-segment-sequence=… ARGUMENTS
// /test/SCRIPT --address=0.0.0.0:6565 --paused --tag …".
package testrun

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/load"
)

// The version and the kind of the operator's resource.
const (
	apiVersion = "k6.io/v1alpha1"
	Kind       = "TestRun"
)

// SinceOperator is the first release of the operator that can leave its initializer out, which
// would need a shell and the fixture as well.
const SinceOperator = "1.3.0"

const (
	fixtureDir  = "/steamer"
	fixtureFile = "fixture.json"
	// userID is the user of the image that Steamer builds; any other image runs as it too.
	userID = 65532
)

// Spec is one load for the operator to drive. All fields but the last are required.
type Spec struct {
	Name        string // of all objects, a DNS label
	Namespace   string
	Image       string // of k6 with the extension; k6 is on its PATH
	Parallelism int    // runners, at least 1
	Job         load.Job
	Scripts     map[string]string // by file name; the workload's own among them
	Resources   corev1.ResourceRequirements
}

// testRun is the operator's resource, as far as it is used.
type testRun struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              testRunSpec `json:"spec"`
}

// testRunSpec says what to run; field names are the operator's.
type testRunSpec struct {
	Parallelism int `json:"parallelism"`
	// of k6, split at blanks; newer operators have args as well, older ones would drop those
	// silently
	Arguments   string `json:"arguments"`
	Script      script `json:"script"`
	Initializer pod    `json:"initializer"`
	Starter     pod    `json:"starter"`
	Runner      pod    `json:"runner"`
}

// script is where the runners find their script.
type script struct {
	ConfigMap struct {
		Name string `json:"name"`
		File string `json:"file"`
	} `json:"configMap"`
}

// pod describes one of the operator's kinds of pods.
type pod struct {
	Disabled                     bool                              `json:"disabled,omitempty"`
	Metadata                     *metadata                         `json:"metadata,omitempty"`
	AutomountServiceAccountToken string                            `json:"automountServiceAccountToken,omitempty"`
	Image                        string                            `json:"image,omitempty"`
	ImagePullPolicy              corev1.PullPolicy                 `json:"imagePullPolicy,omitempty"`
	Env                          []corev1.EnvVar                   `json:"env,omitempty"`
	Resources                    *corev1.ResourceRequirements      `json:"resources,omitempty"`
	SecurityContext              *corev1.PodSecurityContext        `json:"securityContext,omitempty"`
	ContainerSecurityContext     *corev1.SecurityContext           `json:"containerSecurityContext,omitempty"`
	TopologySpreadConstraints    []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	Volumes                      []corev1.Volume                   `json:"volumes,omitempty"`
	VolumeMounts                 []corev1.VolumeMount              `json:"volumeMounts,omitempty"`
}

// metadata is what the operator adds to its pods' own.
type metadata struct {
	Labels map[string]string `json:"labels"`
}

func (s Spec) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: s.Name, Namespace: s.Namespace,
		Labels: map[string]string{"app.kubernetes.io/name": "k6", "app.kubernetes.io/managed-by": "steamer"},
	}
}

// objects makes the three objects.
func (s Spec) objects() (testRun, corev1.ConfigMap, corev1.Secret) {
	scripts := corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: s.meta(),
		Data: s.Scripts,
	}
	secret := corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: s.meta(), Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{fixtureFile: s.Job.Fixture},
	}
	run := testRun{TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: Kind}, ObjectMeta: s.meta()}
	run.Spec = testRunSpec{
		Parallelism: s.Parallelism, Arguments: strings.Join(arguments(), " "),
		Initializer: pod{Disabled: true}, Starter: restricted(), Runner: s.runner(),
	}
	run.Spec.Script.ConfigMap.Name, run.Spec.Script.ConfigMap.File = s.Name, s.Job.Profile.Workload+".js"
	return run, scripts, secret
}

// arguments are those of a local k6 without what the operator sets itself: the command, --quiet,
// and the address of the API by which its starter lets the runners begin.
func arguments() []string {
	var kept []string
	for _, a := range load.Arguments("/dev/stdout") {
		if a != "run" && a != "--quiet" && !strings.HasPrefix(a, "--address") {
			kept = append(kept, a)
		}
	}
	return kept
}

// restricted is a pod that Kubernetes' strictest profile admits.
func restricted() pod {
	yes, no, user := true, false, int64(userID)
	return pod{
		AutomountServiceAccountToken: "false",
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, FSGroup: &user,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		ContainerSecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

func (s Spec) runner() pod {
	p := restricted()
	// Readable for the pod's group only, which fsGroup makes k6's; the kubelet keeps it in memory.
	mode := int32(0o440)
	p.Image, p.ImagePullPolicy, p.Resources = s.Image, corev1.PullIfNotPresent, &s.Resources
	p.Metadata = &metadata{Labels: s.meta().Labels}
	for _, setting := range append(load.Settings(s.Job), "STEAMER_FIXTURE="+fixtureDir+"/"+fixtureFile) {
		name, value, _ := strings.Cut(setting, "=")
		p.Env = append(p.Env, corev1.EnvVar{Name: name, Value: value})
	}
	p.Volumes = []corev1.Volume{{
		Name:         "fixture",
		VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: s.Name, DefaultMode: &mode}},
	}}
	p.VolumeMounts = []corev1.VolumeMount{{Name: "fixture", MountPath: fixtureDir, ReadOnly: true}}
	p.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"k6_cr": s.Name, "runner": "true"}},
		// the operator's own labels
	}}
	return p
}
