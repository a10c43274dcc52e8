package lifecycle

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
	"gitlab.com/steamer/steamer/scenarios/internal/secrets"
)

// listenerSecret is the Secret with the listener's certificate.
const listenerSecret = "steamer-listener"

func listenerTLS() scenario.Scenario {
	return scenario.Scenario{
		ID:       "lifecycle/listener-tls",
		Subject:  scenario.SubjectChart,
		Title:    "TLS on OpenBao's listener can be enabled, renewed and disabled, and every secret remains",
		Protects: "values and tokens on the way to the pods, and operators whose certificates expire",
		Source:   "GitLab's OpenBao chart: config.tlsDisable and tlsSecretName; OpenBao reads its certificate when it starts",
		Features: []scenario.Feature{
			scenario.FeatureCluster, scenario.FeatureInstaller,
			scenario.Change(scenario.ChangeListenerTLS),
		},
		Rights: []scenario.Right{{Verbs: "create update delete", Resource: "secrets"}},
		// Catches: a certificate mounted in the wrong place, probes that still use plain text, a
		// listener that still answers plain text, a new certificate that is not read.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			before, err := secrets.Fingerprint(ctx, env)
			require.NoError(t, err)
			first := publish(ctx, t, env)
			defer plain(ctx, t, env)
			change, err := env.Installer.Change(scenario.ChangeListenerTLS, map[string]any{"secret": listenerSecret})
			require.NoError(t, err)
			started := time.Now()
			require.NoError(t, env.Installer.Upgrade(ctx, scenario.Release{Values: change}))
			secure, closeFirst := over(t, env, first)
			defer closeFirst()
			cluster.MustServe(ctx, t, secure)
			t.Measure("switch_on_seconds", time.Since(started).Seconds())
			require.Error(t, env.Check(ctx, env.Tenants[0], env.Tenants[0].Secrets[0]),
				"the listener still answers in plain text")

			second := publish(ctx, t, env)
			renew(ctx, t, env)
			renewed, closeSecond := over(t, env, second)
			defer closeSecond()
			cluster.MustServe(ctx, t, renewed)
			after, err := secrets.Fingerprint(ctx, renewed)
			require.NoError(t, err)
			require.Equal(t, before, after, "hash over all secrets")
			stale, closeStale := over(t, env, first)
			defer closeStale()
			err = stale.Check(ctx, env.Tenants[0], env.Tenants[0].Secrets[0])
			var unknown x509.UnknownAuthorityError
			require.True(t, errors.As(err, &unknown), "the old certificate is still in use: %v", err)
		},
	}
}

// publish makes a self-signed certificate for the environment's address, writes it into the Secret
// and returns it.
func publish(ctx context.Context, t scenario.T, env *scenario.Env) []byte {
	t.Helper()
	at, err := url.Parse(env.Address)
	require.NoError(t, err)
	certificate, key, err := cert.GenerateSelfSignedCertKey(at.Hostname(), nil, nil)
	require.NoError(t, err)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: listenerSecret}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key},
	}
	all := env.Kube.CoreV1().Secrets(env.Namespace)
	if _, err = all.Create(ctx, secret, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
		_, err = all.Update(ctx, secret, metav1.UpdateOptions{})
	}
	require.NoError(t, err)
	return certificate
}

// over is the environment reached by HTTPS, trusting one certificate and no other.
func over(t scenario.T, env *scenario.Env, certificate []byte) (secure *scenario.Env, done func()) {
	t.Helper()
	at, err := url.Parse(env.Address)
	require.NoError(t, err)
	at.Scheme = "https"
	own := *env
	own.Address, own.CA = at.String(), certificate
	own.Client = own.Kind.Client(own.Address, openbao.Trusting(false, own.CA))
	return &own, own.Client.Close
}

// renew makes new pods, which read the new certificate: the standby first.
func renew(ctx context.Context, t scenario.T, env *scenario.Env) {
	t.Helper()
	pods, err := cluster.Pods(ctx, env)
	require.NoError(t, err)
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int {
		return strings.Compare(openbao.Registered(a.Labels, openbao.LabelActive),
			openbao.Registered(b.Labels, openbao.LabelActive))
	}) // "false", then "true"
	for _, p := range pods {
		require.NoError(t, cluster.DeletePod(ctx, env, p.Name))
		env.Await(ctx, t, "pod "+p.Name+" is replaced", env.Timeouts.Ready, func(ctx context.Context) error {
			now, err := cluster.Pods(ctx, env)
			if err == nil && slices.Contains(cluster.UIDs(now), p.UID) {
				err = fmt.Errorf("the old pod still exists: %s", cluster.Describe(now))
			}
			return err
		})
		cluster.MustHealthy(ctx, t, env, "the new pod is healthy", env.Timeouts.Ready)
	}
}

// plain restores the environment's own values, also when ctx has ended.
func plain(ctx context.Context, t scenario.T, env *scenario.Env) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), env.Timeouts.Upgrade)
	defer cancel()
	err := env.Installer.Upgrade(ctx, scenario.Release{})
	if gone := env.Kube.CoreV1().Secrets(env.Namespace).Delete(ctx, listenerSecret, metav1.DeleteOptions{}); err == nil {
		err = gone
	}
	if err != nil {
		t.Errorf("restoring the environment: %v", err)
		return
	}
	cluster.MustServe(ctx, t, env)
}
