package charts_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// tls runs OpenBao with TLS everywhere: its listener's certificate, PostgreSQL's under
// verify-full, and a client certificate without which PostgreSQL lets nobody into this database.
func (s *site) tls(t *testing.T) {
	const database = "tls"
	values := s.fresh(t, database)
	ca := newCA(t)
	s.files = t.TempDir()
	ca.issue(t, filepath.Join(s.files, "tls"), "openbao")
	ca.issue(t, filepath.Join(s.files, "postgresql/client"), "openbao")
	server := filepath.Join(t.TempDir(), "server")
	ca.issue(t, server, "postgresql")
	write(t, filepath.Join(s.files, "postgresql/ca/ca.crt"), ca.pem)
	s.requireTLS(t, database, server, ca.pem)

	plain := with(t, values, "config: {storage: {postgresql: {maxConnectRetries: 1, connection: {sslMode: require}}}}")
	out, err := s.bootstrap(t, plain, "http://127.0.0.1:1")
	require.Error(t, err, "the database asks for no client certificate")
	require.Contains(t, out, "connection requires a valid client certificate")

	full := with(t, values, `{tlsSecretName: t, config: {tlsDisable: false, storage: {postgresql: {connection: {
		sslMode: verify-full, sslRootCert: {secret: ca}, sslClientCert: {secret: c},
		parameters: {tcp_keepalives_idle: 61}}}}}}`)
	out, err = s.bootstrap(t, full, "http://127.0.0.1:1")
	require.NoError(t, err, out)
	s.serverKeepalive(t, full, "61")

	n := s.startNode(t, full)
	n.api = strings.Replace(n.api, "http://", "https://", 1)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.pem))
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		DisableKeepAlives: true,
	}}
	require.Eventually(t, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.api+"/v1/sys/health", http.NoBody)
		require.NoError(t, err)
		answer, err := client.Do(request)
		if err != nil {
			return false
		}
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode == http.StatusOK
	}, startTime, pollEvery, n.log())
	require.Zero(t, s.status(t, n, full, "openbao"))
	require.NotZero(t, s.status(t, n, full, "another.example.com"), "a name that is not in the certificate")
	ca.issue(t, filepath.Join(s.files, "tls"), "openbao")
	require.NotZero(t, s.status(t, n, full, "openbao"), "the server has another certificate than the Secret")

	// An upgrade that switches TLS off again asks in plain text those that still serve TLS, and
	// must not start a server beside them.
	out, err = s.bootstrap(t, plain, strings.Replace(n.api, "https://", "http://", 1))
	require.NoError(t, err, out)
	require.Contains(t, out, "already initialised, an active server answers")
}

// status runs "bao status" as in a pod whose certificate has a name, and returns its exit code.
func (s *site) status(t *testing.T, n *node, values, name string) int {
	t.Helper()
	values = with(t, values, "config: {tlsServerName: "+name+"}")
	local := *n
	local.env = slices.DeleteFunc(slices.Clone(n.env),
		func(v string) bool { return strings.HasPrefix(v, "BAO_SKIP_VERIFY") })
	for _, v := range deployment(t, values).Spec.Template.Spec.Containers[0].Env {
		if slices.Contains([]string{"BAO_CACERT", "BAO_TLS_SERVER_NAME", "BAO_SKIP_VERIFY"}, v.Name) {
			local.env = append(local.env, v.Name+"="+strings.ReplaceAll(v.Value, mounts, s.files+"/"))
		}
	}
	local.env = append(local.env, "BAO_ADDR="+n.api)
	return s.exitCode(t, &local, "status")
}

// requireTLS turns TLS on in the running PostgreSQL, which writes the files itself: its key must
// be its own user's.
func (s *site) requireTLS(t *testing.T, database, server string, ca []byte) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.database.String())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	put := func(name string, text []byte) {
		lines := "SELECT unnest(string_to_array($$" + strings.TrimSpace(string(text)) + "$$, E'\\n'))"
		_, err := conn.Exec(t.Context(), "COPY ("+lines+") TO PROGRAM 'umask 077; cat >"+name+"'")
		require.NoError(t, err, name)
	}
	for name, file := range map[string]string{"server.crt": "tls.crt", "server.key": "tls.key"} {
		text, err := os.ReadFile(filepath.Join(server, file))
		require.NoError(t, err)
		put(name, text)
	}
	put("root.crt", ca)
	put("pg_hba.conf", []byte("hostssl "+database+" all 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n"+
		"hostnossl "+database+" all 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256"))
	for _, statement := range []string{
		"ALTER SYSTEM SET ssl_ca_file = 'root.crt'", "ALTER SYSTEM SET ssl = on",
		"SELECT pg_reload_conf()",
	} {
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	require.Eventually(t, func() bool {
		var on string
		require.NoError(t, conn.QueryRow(t.Context(), "SHOW ssl").Scan(&on))
		return on == "on"
	}, startTime, pollEvery, "PostgreSQL has not reloaded")
}

// serverKeepalive connects as OpenBao does and asks PostgreSQL for its end's setting, which the
// chart says to use.
func (s *site) serverKeepalive(t *testing.T, values, want string) {
	t.Helper()
	config := serverConfig(t, values)
	address := dig(t, config, "storage", "postgresql", "connection_url").(string)
	address = strings.ReplaceAll(address, url.QueryEscape(mounts), url.QueryEscape(s.files+"/"))
	parsed, err := pgx.ParseConfig(address)
	require.NoError(t, err)
	parsed.Password, _ = s.database.User.Password()
	conn, err := pgx.ConnectConfig(t.Context(), parsed)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	var got string
	require.NoError(t, conn.QueryRow(t.Context(), "SHOW tcp_keepalives_idle").Scan(&got))
	require.Equal(t, want, got)
}

// authority is a certificate authority of one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newCA(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	require.NoError(t, err)
	return &authority{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue writes tls.crt and tls.key for a name and the loopback address into a directory.
func (a *authority) issue(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotAfter:    time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write(t, filepath.Join(dir, "tls.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, filepath.Join(dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, text, 0o600))
}
