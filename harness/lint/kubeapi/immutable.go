package kubeapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
)

// immutable are the fields that Kubernetes never changes once an object exists, by its kind.
var immutable = map[string][][]string{
	"Deployment": {{"spec", "selector"}}, "DaemonSet": {{"spec", "selector"}}, "ReplicaSet": {{"spec", "selector"}},
	"StatefulSet": {
		{"spec", "selector"}, {"spec", "serviceName"}, {"spec", "podManagementPolicy"}, {"spec", "volumeClaimTemplates"},
	},
	"Job": {
		{"spec", "selector"},
		{"spec", "template"},
		{"spec", "completionMode"},
		{"spec", "completions"},
		{"spec", "podFailurePolicy"},
		{"spec", "successPolicy"},
		{"spec", "backoffLimitPerIndex"},
	},
	"Secret":             {{"type"}},
	"RoleBinding":        {{"roleRef"}},
	"ClusterRoleBinding": {{"roleRef"}},
	"PersistentVolumeClaim": {
		{"spec", "storageClassName"},
		{"spec", "accessModes"},
		{"spec", "volumeName"},
		{"spec", "volumeMode"},
		{"spec", "selector"},
		{"spec", "dataSource"},
		{"spec", "dataSourceRef"},
	},
	"PersistentVolume": {
		{"spec", "csi"},
		{"spec", "nfs"},
		{"spec", "hostPath"},
		{"spec", "local"},
		{"spec", "iscsi"},
		{"spec", "fc"},
		{"spec", "volumeMode"},
	},
	"Service":       {{"spec", "clusterIP"}},
	"StorageClass":  {{"provisioner"}, {"parameters"}, {"reclaimPolicy"}, {"volumeBindingMode"}},
	"PriorityClass": {{"value"}, {"preemptionPolicy"}},
	"IngressClass":  {{"spec", "controller"}},
	"RuntimeClass":  {{"handler"}},
}

// Immutable lists the fields, as paths of keys, that Kubernetes never changes in an object of a
// kind; none for a kind without such fields.
func Immutable(kind string) [][]string { return immutable[kind] }

// FilledIn reports whether Kubernetes fills in the field of Immutable at path where nothing is
// given, so that a side without it has not changed.
func FilledIn(path []string) bool {
	return slices.Contains([]string{"clusterIP", "storageClassName", "volumeName", "volumeMode"}, path[len(path)-1])
}

// clusterScoped are the kinds of Kubernetes' own groups that stand in no namespace.
var clusterScoped = sets.New(
	"APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding",
	"ClusterTrustBundle", "CustomResourceDefinition", "DeviceClass", "DeviceTaintRule", "FlowSchema", "IPAddress",
	"IngressClass", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration",
	"Namespace", "Node", "PersistentVolume", "PodSecurityPolicy", "PriorityClass", "PriorityLevelConfiguration",
	"ResourceSlice",
	"RuntimeClass", "ServiceCIDR", "StorageClass", "StorageVersion", "StorageVersionMigration",
	"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
	"VolumeAttachment", "VolumeAttributesClass",
)

// ClusterScoped says whether objects of a kind of Kubernetes' own groups stand in no namespace.
func ClusterScoped(kind string) bool { return clusterScoped.Has(kind) }
