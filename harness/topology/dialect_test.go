package topology

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

const reference = "../../charts/openbao"

// envCharts names charts of other people for the tests below, "DIALECT=PATH,…", because none of
// them is kept here.
const envCharts = "STEAMER_OUTSIDE_CHARTS"

// pair is a chart with the dialect that it speaks.
type pair struct{ dialect, chart string }

func (p pair) String() string { return p.dialect + " " + filepath.Base(p.chart) }

func pairs(t *testing.T) []pair {
	t.Helper()
	all := []pair{{"gitlab", reference}}
	for _, text := range strings.FieldsFunc(os.Getenv(envCharts), func(r rune) bool { return r == ',' }) {
		dialect, path, found := strings.Cut(text, "=")
		require.True(t, found, "%s: %q is not DIALECT=PATH", envCharts, text)
		all = append(all, pair{dialect, path})
	}
	return all
}

// prepare is New for a pair; change edits the dialect's text first.
func (p pair) prepare(t *testing.T, topology string, change ...string) (*Environment, error) {
	t.Helper()
	c, err := chart.Load(p.chart)
	require.NoError(t, err)
	data, err := dialects.ReadFile("dialects/" + p.dialect + ".yaml")
	require.NoError(t, err)
	text := strings.NewReplacer(change...).Replace(string(data))
	if len(change) > 0 {
		require.NotEqual(t, string(data), text)
	}
	dialect, err := ParseDialect(p.dialect, []byte(text))
	if err != nil {
		return nil, err
	}
	return New(nil, nil, Spec{
		Topology: topology, Run: "test", Chart: c, Dialect: dialect, NodePort: 30820,
		Resources: Resources{"100m", "2", "256Mi", "1Gi"}, Images: Images{OpenBao: "host:5000/openbao:1"},
	}, nil)
}

// rendered is everything that an environment installs, as one text, with the values given.
func rendered(t *testing.T, env *Environment, values map[string]any) string {
	t.Helper()
	files, err := env.Spec.Chart.Render(env.rendering(), values)
	require.NoError(t, err)
	var all strings.Builder
	for _, text := range files {
		all.WriteString(text)
	}
	return all.String()
}

// TestDialectFitsChart renders each chart with what each topology sets, and looks for what has to
// arrive.
func TestDialectFitsChart(t *testing.T) {
	t.Parallel()
	for _, p := range pairs(t) {
		for _, name := range Names() {
			t.Run(p.String()+" "+name, func(t *testing.T) {
				t.Parallel()
				env, err := p.prepare(t, name)
				require.NoError(t, err)
				all := rendered(t, env, env.values)
				require.Contains(t, all, "host:5000/openbao:1")
				require.NotEqual(t, env.ownPort, strings.Contains(all, "nodePort: 30820"),
					"the node port comes from the chart or from beside it")
				require.Equal(t, name == CloudNativeHybrid, strings.Contains(all, "verify-full"))
				require.Equal(t, name == CloudNativeHybrid, strings.Contains(all, caSecret))
				require.Contains(t, all, env.Issuer.URL())
				require.Contains(t, all, env.Audience())
				for _, kind := range []string{"ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration"} {
					require.NotContains(t, all, "kind: "+kind+"\n", "it would outlive the namespaces of the run")
				}
			})
		}
	}
}

// TestDialectDoesNotFit changes what the dialect says about the chart, one thing at a time.
func TestDialectDoesNotFit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change   []string
		topology string
		want     string
	}{
		"selector": {[]string{"name=openbao,", "name=moon,"}, CloudNative, "no workload makes pods that match"},
		"container": {
			[]string{"container: openbao-server", "container: moon"},
			CloudNative,
			"has no container moon; there are openbao-server",
		},
		"service": {
			[]string{"activeService: openbao-active", "activeService: moon"},
			CloudNative,
			"no Service moon; there are Service openbao-active",
		},
		"release": {[]string{"release: openbao", "release: moon"}, CloudNative, "no workload makes pods"},
		"password": {
			[]string{"password: {secret: {{ .Database.PasswordSecret }}, key: password}", "password: {secret: moon}"},
			CloudNativeHybrid,
			"refers to Secret openbao-postgresql", // and not because of openbao-postgresql-ca
		},
		"CA": {
			[]string{"sslRootCert: {secret: {{ .Database.CASecret }}, key: ca.crt}", "sslRootCert: {configMap: moon}"},
			CloudNativeHybrid,
			"refers to Secret openbao-postgresql-ca",
		},
		"extra": {
			[]string{"metricsPort: 8209", "metricsPort: 8209\nsecrets: [{name: moon, key: key, bytes: 1}]"},
			CloudNative,
			"refers to Secret moon",
		},
		"schema": {[]string{"resources:", "replicaCount: many\n  resources:"}, CloudNative, "replicaCount"},
		"bootstrap": {
			[]string{"metricsPort: 8209", "metricsPort: 8209\nbootstrap: \"fullnameOverride: moon\""},
			CloudNative,
			"no Service openbao-active",
		},
		"template": {[]string{"{{ .Database.Port }}", "{{ .Database.Moon }}"}, CloudNative, "Moon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pair{"gitlab", reference}.prepare(t, tc.topology, tc.change...)
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "hint: ")
		})
	}
	_, err := pair{"community", reference}.prepare(t, CloudNative)
	require.Equal(t, exit.Invalid, exit.CodeOf(err), "the dialect of another chart: %v", err)
}

// TestOlderCharts has charts/openbao forget the keys that GitLab's chart does not have: the
// dialect has to do without.
func TestOlderCharts(t *testing.T) {
	t.Parallel()
	dialect, err := DialectNamed("gitlab")
	require.NoError(t, err)
	in := Inputs{ServiceType: "NodePort", NodePort: 30820, Database: Database{
		SSLMode: "verify-full", PasswordSecret: "p",
		CASecret: "ca", Port: 5432,
	}}
	for _, knows := range []bool{false, true} {
		in.Chart.knows = func(string) bool { return knows }
		values, err := dialect.Render(in)
		require.NoError(t, err)
		storage := values["config"].(map[string]any)["storage"].(map[string]any)
		connection := storage["postgresql"].(map[string]any)["connection"].(map[string]any)
		if knows {
			require.Equal(t, "verify-full", connection["sslMode"])
			require.Equal(t, map[string]any{"secret": "ca", "key": "ca.crt"}, connection["sslRootCert"])
			require.Equal(t, map[string]any{"type": "NodePort", "nodePort": float64(30820)}, values["serviceActive"])
			require.NotContains(t, values, "extraVolumes")
			continue
		}
		require.Equal(t, "verify-full&sslrootcert=/srv/openbao/postgresql/ca.crt", connection["sslMode"])
		require.NotContains(t, connection, "sslRootCert")
		require.NotContains(t, values, "serviceActive")
		require.Contains(t, values["extraVolumes"], "secretName: ca\n")
	}
}

// TestConnectionURL reads each dialect's URL as OpenBao's driver does: the hybrid topology checks
// name and CA.
func TestConnectionURL(t *testing.T) {
	t.Parallel()
	a, err := newAuthority("db.example")
	require.NoError(t, err)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, os.WriteFile(ca, a.ca, 0o600))
	// GitLab's chart makes its URL like this.
	asGitLab := "postgres://%s@%s:%d/%s?&sslmode=%s"
	for dialect, template := range map[string]string{"gitlab": asGitLab, "community": ""} {
		d, err := DialectNamed(dialect)
		require.NoError(t, err)
		in := Inputs{Database: Database{
			Host: "db.example", Port: 5432, Name: "openbao", User: "openbao",
			SSLMode: "verify-full", CASecret: "ca",
		}}
		values, err := d.Render(in)
		require.NoError(t, err)
		text, err := yaml.Marshal(values)
		require.NoError(t, err)
		var connection string
		if template == "" {
			_, rest, found := strings.Cut(string(text), `connection_url = "`)
			require.True(t, found)
			connection, _, _ = strings.Cut(rest, `"`)
		} else {
			storage := values["config"].(map[string]any)["storage"].(map[string]any)
			mode := storage["postgresql"].(map[string]any)["connection"].(map[string]any)["sslMode"]
			connection = fmt.Sprintf(template, "openbao", "db.example", 5432, "openbao", mode)
		}
		parsed, err := url.Parse(connection)
		require.NoError(t, err)
		_, hasPassword := parsed.User.Password()
		require.False(t, hasPassword)
		mounted := parsed.Query().Get("sslrootcert")
		require.NotEmpty(t, mounted)
		config, err := pgx.ParseConfig(strings.ReplaceAll(connection, mounted, ca))
		require.NoError(t, err)
		require.Equal(t, "db.example", config.TLSConfig.ServerName)
		require.NotNil(t, config.TLSConfig.RootCAs)
		require.Empty(t, config.Fallbacks, "nothing but TLS")
	}
}

func TestImageRef(t *testing.T) {
	t.Parallel()
	for repository, want := range map[string][2]string{
		"steamer.local/openbao": {"steamer.local", "openbao"}, "host:5000/a/b": {"host:5000", "a/b"},
		"localhost/a":     {"localhost", "a"},
		"openbao/openbao": {"docker.io", "openbao/openbao"}, "openbao": {"docker.io", "openbao"},
	} {
		ref := ImageRef{Repository: repository}
		require.Equal(t, want, [2]string{ref.Registry(), ref.Path()}, repository)
	}
}

const minimal = "release: a\nselector: a=b\ncontainer: c\nactiveService: d\nvalues: '{}'\n"

func TestParseDialect(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"minimal":          {minimal, ""},
		"empty":            {"", "the document is empty"},
		"unknown field":    {minimal + "moon: 1\n", "moon"},
		"named twice":      {minimal + "release: b\n", "occurs twice"},
		"no object name":   {strings.Replace(minimal, "release: a", "release: A b", 1), "release"},
		"every pod":        {strings.Replace(minimal, "a=b", "''", 1), "no particular pods"},
		"no selector":      {strings.Replace(minimal, "a=b", "a==b==c", 1), "selector"},
		"no values":        {strings.Replace(minimal, "'{}'", "", 1), "values"},
		"broken template":  {strings.Replace(minimal, "'{}'", "'{{ if }}'", 1), "values"},
		"broken bootstrap": {minimal + "bootstrap: '{{'\n", "bootstrap"},
		"port":             {minimal + "apiPort: 70000\n", "apiPort 70000"},
		"secret name":      {minimal + "secrets: [{name: A, key: k, bytes: 1}]\n", "name"},
		"secret key":       {minimal + "secrets: [{name: a, key: 'k/', bytes: 1}]\n", "key"},
		"secret bytes":     {minimal + "secrets: [{name: a, key: k, bytes: 4096}]\n", "1 to 1024"},
		"secret twice":     {minimal + "secrets: [{name: a, key: k, bytes: 1}, {name: a, key: l, bytes: 1}]\n", "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "mine.yaml")
			require.NoError(t, os.WriteFile(file, []byte(tc.text), 0o600))
			d, err := DialectNamed(file)
			if tc.want == "" {
				require.NoError(t, err)
				require.Equal(t, file, d.Name)
				require.Equal(t, 8200, d.apiPort())
				return
			}
			require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, file)
		})
	}
	require.Equal(t, []string{"community", "gitlab", "vault", "vault-postgresql"}, Dialects())
	for _, name := range append(Dialects(), "dialects/gitlab.yaml") {
		_, err := DialectNamed(name)
		require.NoError(t, err, name)
	}
}

// FuzzParseDialect: whatever the file holds, the answer is a dialect or an exit.Invalid error.
func FuzzParseDialect(f *testing.F) {
	f.Add(minimal)
	for _, name := range Dialects() {
		data, err := dialects.ReadFile("dialects/" + name + ".yaml")
		require.NoError(f, err)
		f.Add(string(data))
	}
	f.Add(minimal + "secrets: [{name: a, key: k, bytes: 32}]\nbootstrap: '{{ .Chart.Knows \"a\" }}'\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDialect("fuzz", []byte(text))
		if err != nil {
			require.Equal(t, exit.Invalid, exit.CodeOf(err))
			return
		}
		require.NotEmpty(t, d.Release+d.Values)
	})
}

// TestDialectsNeedNoIPv6: a host may have booted without IPv6, where no listener opens on [::]. An
// address without a host serves both families.
func TestDialectsNeedNoIPv6(t *testing.T) {
	t.Parallel()
	for _, name := range Dialects() {
		text, err := dialects.ReadFile("dialects/" + name + ".yaml")
		require.NoError(t, err)
		require.NotRegexp(t, `"\[[0-9a-fA-F:]*\]`, string(text), name)
	}
}
