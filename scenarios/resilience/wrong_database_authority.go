package resilience

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func wrongDatabaseAuthority() scenario.Scenario {
	return scenario.Scenario{
		ID:         "resilience/wrong-database-authority",
		Subject:    scenario.SubjectChart,
		Title:      "A pod that trusts another authority than the database's does not connect, and the others serve on",
		Protects:   "stored data and the database password from a server that poses as the database",
		Source:     "PostgreSQL, SSL support: sslmode=require without a root certificate accepts any certificate",
		Topologies: []string{"cloud-native-hybrid"},
		Features:   []scenario.Feature{scenario.FeatureCluster, scenario.FeatureExec},
		Rights: []scenario.Right{
			{Verbs: "update", Resource: "secrets"}, {Verbs: "update", Resource: "configmaps"},
		},
		// Catches: sslmode=require, a root certificate that is mounted and not used.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			disturb(ctx, t, env, judge.OutageStandbyLost, func(s *stage) {
				ca, err := authorityOf(ctx, env, s.standby)
				require.NoError(t, err)
				restore, err := ca.replace(ctx, env, otherAuthority)
				require.NoError(t, err)
				var name string
				defer func() {
					if err := restore(context.WithoutCancel(ctx)); err != nil {
						t.Errorf("restoring the database's authority: %v", err)
					}
					remove(ctx, t, env, name)
				}()
				t.Logf("replacing the standby %s by one with another authority in %s", s.standby.Name, ca)
				require.NoError(t, cluster.DeletePod(ctx, env, s.standby.Name))
				name = replacement(ctx, t, env, s).Name
				connected := false
				took := env.Await(ctx, t, "the pod reports that it cannot verify the database", env.Timeouts.Ready,
					func(ctx context.Context) (err error) {
						connected, err = verifies(ctx, env, name)
						return err
					})
				require.False(t, connected, "pod %s is ready: it connected to a database that its authority does not vouch for",
					name)
				t.Measure("visible_seconds", took.Seconds())
			})
		},
	}
}

// otherAuthority is a certificate of an authority whose key nobody has.
const otherAuthority = `-----BEGIN CERTIFICATE-----
MIIBajCCARGgAwIBAgIBATAKBggqhkjOPQQDAjAcMRowGAYDVQQDExFBbm90aGVy
IGF1dGhvcml0eTAgFw0yMzExMTQyMjEzMjBaGA8yMDU2MDEwMTAwMDAwMFowHDEa
MBgGA1UEAxMRQW5vdGhlciBhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjOPQMB
BwNCAAS4gIrCiiHpMn9cerl6MfUvqEftmXNI6Q8xi4wk6xex/Qwj2qfghsaXogbE
STDvAgdp4mlJ+Fn4iE1Uz1tx8vy/o0IwQDAOBgNVHQ8BAf8EBAMCAgQwDwYDVR0T
AQH/BAUwAwEB/zAdBgNVHQ4EFgQUOK9FRPAqMfHInb4evjRO4YEDLM0wCgYIKoZI
zj0EAwIDRwAwRAIgeFD0bMEb58E79dXJUA2FAbPD5khWfAyDuo3C3G3FM5ICIFMv
5GdbjSpPNOaFJHVoEIQLiNNLb+8S0UEojU8bI04e
-----END CERTIFICATE-----
`

// verifies returns nil when a pod's log reports that the database's certificate is not from its
// authority, or when the pod is ready although it should not be.
func verifies(ctx context.Context, env *scenario.Env, name string) (connected bool, err error) {
	pod, err := env.Kube.CoreV1().Pods(env.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	if cluster.Ready(*pod) {
		return true, nil
	}
	log, err := cluster.Log(ctx, env, name)
	if err == nil && !strings.Contains(log, "x509: certificate signed by unknown authority") {
		err = errors.New("its log reports no certificate of an unknown authority")
	}
	return false, err
}

// volumeFile is a file of a pod that comes from a Secret or a ConfigMap.
type volumeFile struct{ kind, object, key string }

func (f volumeFile) String() string { return fmt.Sprintf("key %s of %s %s", f.key, f.kind, f.object) }

// rootCertificate finds the file of the authority in a connection URL, wherever it is written.
var rootCertificate = regexp.MustCompile(`(?:[?&]|\\u0026)sslrootcert=([^&"'\s\\]+)`)

// authorityOf finds where the authority of a pod's connection to the database comes from. That is
// in the configuration file or in the environment of the process.
func authorityOf(ctx context.Context, env *scenario.Env, pod corev1.Pod) (volumeFile, error) {
	server, err := cluster.Server(env, pod)
	if err != nil {
		return volumeFile{}, err
	}
	raw, err := env.Processes.Run(ctx, env.Namespace, pod.Name, env.Container, "sh", "-c", connectionURLs)
	if err != nil {
		return volumeFile{}, err
	}
	found := rootCertificate.FindSubmatch(raw)
	if found == nil {
		return volumeFile{}, errors.New("the connection to the database names no sslrootcert, so that any certificate is accepted")
	}
	file, err := url.QueryUnescape(string(found[1]))
	if err != nil {
		return volumeFile{}, fmt.Errorf("sslrootcert: %w", err)
	}
	return sourceOf(pod, server, file)
}

// connectionURLs prints what may hold the connection URL: environment, arguments and the files
// that they name. Only the parameter is taken from it.
const connectionURLs = `tr '\0' '\n' </proc/1/environ; for d in $(tr '\0' '\n' </proc/1/cmdline | sed -n 's/^-config=//p'); do
  if [ -d "$d" ]; then cat "$d"/*; else cat "$d"; fi; done`

// sourceOf finds the Secret or ConfigMap that a container's file is mounted from.
func sourceOf(pod corev1.Pod, server *corev1.Container, file string) (volumeFile, error) {
	for _, mount := range server.VolumeMounts {
		inside, below := strings.CutPrefix(file, strings.TrimSuffix(mount.MountPath, "/"))
		if !below || inside != "" && !strings.HasPrefix(inside, "/") {
			continue
		}
		key := strings.TrimPrefix(path.Join(mount.SubPath, inside), "/")
		for _, volume := range pod.Spec.Volumes {
			if volume.Name != mount.Name {
				continue
			}
			var items []corev1.KeyToPath
			found := volumeFile{key: key}
			switch {
			case volume.Secret != nil:
				found.kind, found.object, items = "Secret", volume.Secret.SecretName, volume.Secret.Items
			case volume.ConfigMap != nil:
				found.kind, found.object, items = "ConfigMap", volume.ConfigMap.Name, volume.ConfigMap.Items
			default:
				continue
			}
			for _, item := range items {
				if item.Path == key {
					found.key = item.Key
				}
			}
			return found, nil
		}
	}
	return volumeFile{}, fmt.Errorf("sslrootcert %s is mounted from no Secret or ConfigMap", file)
}

// replace writes another content, and returns what brings the former one back.
func (f volumeFile) replace(ctx context.Context, env *scenario.Env, content string) (
	restore func(context.Context) error, err error,
) {
	var was []byte
	put := func(ctx context.Context, now []byte) error {
		core := env.Kube.CoreV1()
		if f.kind == "ConfigMap" {
			m, err := core.ConfigMaps(env.Namespace).Get(ctx, f.object, metav1.GetOptions{})
			if err != nil {
				return err
			}
			was = []byte(m.Data[f.key])
			m.Data = maps.Clone(m.Data)
			m.Data[f.key] = string(now)
			_, err = core.ConfigMaps(env.Namespace).Update(ctx, m, metav1.UpdateOptions{})
			return err
		}
		s, err := core.Secrets(env.Namespace).Get(ctx, f.object, metav1.GetOptions{})
		if err != nil {
			return err
		}
		was = slices.Clone(s.Data[f.key])
		s.Data = maps.Clone(s.Data)
		s.Data[f.key] = now
		_, err = core.Secrets(env.Namespace).Update(ctx, s, metav1.UpdateOptions{})
		return err
	}
	if err := put(ctx, []byte(content)); err != nil {
		return nil, fmt.Errorf("%v: %w", f, err)
	}
	former := was
	if !bytes.Contains(former, []byte("CERTIFICATE")) {
		return nil, errors.Join(fmt.Errorf("%v holds no certificate", f), put(ctx, former))
	}
	return func(ctx context.Context) error { return put(ctx, former) }, nil
}
