package resilience

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// TestSourceOf finds where a mounted file comes from.
func TestSourceOf(t *testing.T) {
	t.Parallel()
	pod := corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{
		{Name: "ca", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "authority"}}},
		{Name: "map", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "public"},
			Items:                []corev1.KeyToPath{{Key: "root", Path: "ca.crt"}},
		}}},
		{Name: "tmp"},
	}}}
	server := &corev1.Container{VolumeMounts: []corev1.VolumeMount{
		{Name: "tmp", MountPath: "/srv"},
		{Name: "ca", MountPath: "/srv/ca"},
		{Name: "map", MountPath: "/srv/map/"},
		{Name: "ca", MountPath: "/etc/one.crt", SubPath: "one"},
	}}
	for file, want := range map[string]volumeFile{
		"/srv/ca/ca.crt":  {"Secret", "authority", "ca.crt"},
		"/srv/map/ca.crt": {"ConfigMap", "public", "root"},
		"/etc/one.crt":    {"Secret", "authority", "one"},
	} {
		got, err := sourceOf(pod, server, file)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := sourceOf(pod, server, "/srv/castle/ca.crt")
	require.ErrorContains(t, err, "no Secret or ConfigMap")
}

// TestReplace changes a certificate and brings it back, and touches nothing else.
func TestReplace(t *testing.T) {
	t.Parallel()
	kube := fake.NewClientset(
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "authority", Namespace: "ns"},
			Data:       map[string][]byte{"ca.crt": []byte("a CERTIFICATE"), "other": []byte("password")},
		},
		&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "authority", Namespace: "ns"},
			Data:       map[string]string{"ca.crt": "a CERTIFICATE"},
		},
	)
	env := &scenario.Env{Kube: kube, Namespace: "ns"}
	content := func(kind string) string {
		if kind == "Secret" {
			s, err := kube.CoreV1().Secrets("ns").Get(t.Context(), "authority", metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, "password", string(s.Data["other"]))
			return string(s.Data["ca.crt"])
		}
		m, err := kube.CoreV1().ConfigMaps("ns").Get(t.Context(), "authority", metav1.GetOptions{})
		require.NoError(t, err)
		return m.Data["ca.crt"]
	}
	for _, kind := range []string{"Secret", "ConfigMap"} {
		restore, err := volumeFile{kind, "authority", "ca.crt"}.replace(t.Context(), env, otherAuthority)
		require.NoError(t, err)
		require.Equal(t, otherAuthority, content(kind))
		require.NoError(t, restore(t.Context()))
		require.Equal(t, "a CERTIFICATE", content(kind))
	}
	_, err := volumeFile{"Secret", "authority", "other"}.replace(t.Context(), env, otherAuthority)
	require.ErrorContains(t, err, "holds no certificate")
	content("Secret")
	for _, text := range []string{
		`"postgres://u@h/d?sslmode=verify-full&sslrootcert=/srv/ca%2Fx&a=b"`,
		`"postgres://u@h/d?sslmode=verify-full\u0026sslrootcert=/srv/ca%2Fx\u0026a=b"`,
		"URL=postgres://u@h/d?sslrootcert=/srv/ca%2Fx\nNEXT=x",
	} {
		found := rootCertificate.FindStringSubmatch(text)
		require.NotNil(t, found, text)
		require.Equal(t, "/srv/ca%2Fx", found[1], text)
	}
}
