package topology

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

// secured is New with TLS for the reference chart and a dialect with some changes to its text.
func secured(t *testing.T, set []string, change ...string) (*Environment, error) {
	t.Helper()
	c, err := chart.Load(reference)
	require.NoError(t, err)
	data, err := dialects.ReadFile("dialects/gitlab.yaml")
	require.NoError(t, err)
	dialect, err := ParseDialect("gitlab", []byte(strings.NewReplacer(change...).Replace(string(data))))
	require.NoError(t, err)
	overrides, err := chart.ReadOverrides(nil, set)
	require.NoError(t, err)
	return New(nil, nil, Spec{
		Topology: CloudNative, Run: "test", Chart: c, Dialect: dialect, TLS: true, Overrides: overrides,
		Resources: Resources{"100m", "2", "256Mi", "1Gi"}, Images: Images{OpenBao: "host:5000/openbao:1"},
	}, func(string) {})
}

// TestTLSRenders: the listeners, the probes and the mounts of the chart are those of TLS, and the
// certificate has every name by which someone comes.
func TestTLSRenders(t *testing.T) {
	t.Parallel()
	env, err := secured(t, []string{"config.tlsDisable=false", "config.logLevel=debug"}) // as --tls has it, and another
	require.NoError(t, err)
	text := joined(t, env)
	require.Equal(t, 2, strings.Count(configMap(t, env)["config.json"], `"tls_disable": false`))
	require.Contains(t, text, "secretName: "+listenerSecret)
	require.Equal(t, 3, strings.Count(text, "scheme: HTTPS"), "probes")
	require.NotContains(t, text, "PRIVATE KEY")
	require.Equal(t, "https", env.Scheme())
	require.Equal(t, "https://openbao.steamer-cn.svc.cluster.local", env.Audience())

	block, _ := pem.Decode(env.listener.certificate)
	leaf, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(env.CA()))
	for _, name := range []string{
		"127.0.0.1", "::1", "localhost", "openbao-active", "openbao-active.steamer-cn.svc",
		"openbao.steamer-cn.svc.cluster.local", "10-244-0-7.steamer-cn.pod.cluster.local",
		"openbao-0.openbao-internal.steamer-cn.svc.cluster.local",
	} {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
		require.NoError(t, err, name)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "openbao-active.other.svc"})
	require.Error(t, err)
}

// TestTLSRefused: what cannot serve TLS is refused before anything is touched.
func TestTLSRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		set, change []string
		want        string
	}{
		"dialect without the change": {nil, []string{"listener-tls:", "other:"}, "cannot have chart openbao"},
		"chart without the option": {
			nil, []string{"needs: tlsSecretName", "needs: noSuchKey"}, "cannot have chart openbao",
		},
		"values that switch it off": {
			[]string{"config.tlsDisable=true", "config.metricsListener.tlsDisable=true"},
			nil,
			"--tls with config.metricsListener.tlsDisable: your values replace",
		},
		"values that switch the API off":  {[]string{"config.tlsDisable=true"}, nil, "--tls with config.tlsDisable: "},
		"values with another certificate": {[]string{"tlsSecretName=own"}, nil, "--tls with tlsSecretName: "},
		"values that drop the listener": {
			[]string{"config.metricsListener=null"},
			nil,
			"--tls with config.metricsListener: ",
		},
	} {
		_, err := secured(t, tc.set, tc.change...)
		require.ErrorContains(t, err, tc.want, name)
		require.Equal(t, exit.Invalid, exit.CodeOf(err), name)
	}
}

// TestTLSCommunity: the community chart's values have no listener in plain text.
func TestTLSCommunity(t *testing.T) {
	t.Parallel()
	dialect, err := DialectNamed("community")
	require.NoError(t, err)
	for secret, plain := range map[string]bool{"": true, listenerSecret: false} {
		values, err := dialect.Render(Inputs{TLSSecret: secret})
		require.NoError(t, err)
		server := values["server"].(map[string]any)
		config := server["ha"].(map[string]any)["config"].(string)
		require.Equal(t, plain, strings.Contains(config, "tls_disable = true"))
		require.Equal(t, plain, values["global"].(map[string]any)["tlsDisable"])
		require.Equal(t, !plain, strings.Count(config, `tls_key_file = "/openbao/listener-tls/tls.key"`) == 2)
	}
}
