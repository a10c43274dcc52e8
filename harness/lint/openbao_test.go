package lint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/lint"
)

// defect is a text of the reference chart replaced by what GitLab's chart 0.12.3 has in its place,
// and the finding that it causes.
type defect struct {
	file, old, replacement string
	rule                   string
	severity               lint.Severity
	object, path, words    string
}

// broken copies the reference chart and puts defects into it.
func broken(t *testing.T, defects []defect) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "openbao")
	require.NoError(t, os.CopyFS(dir, os.DirFS(reference)))
	for _, d := range defects {
		path := filepath.Join(dir, d.file)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, string(data), d.old)
		require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(data), d.old, d.replacement)), 0o600))
	}
	return dir
}

// TestKnownDefects finds each defect of GitLab's chart 0.12.3 in the reference chart, in two
// groups that do not cover each other.
func TestKnownDefects(t *testing.T) {
	t.Parallel()
	const config, database, url = "ConfigMap/openbao-config", "config.storage.postgresql.",
		"data[config.json].storage.postgresql.connection_url"
	for name, defects := range map[string][]defect{
		"first": {
			{
				"templates/_config.tpl", `set $seal "previous_key_id" $s.previousKeyId`,
				`set "previous_key_id" $s.previousKeyId "" ""`,
				"openbao/previous-key", lint.Error, "", "config.unseal.static.previousKeyId", "wrong number of args for set",
			},
			{
				"values.yaml", "'-{{ .Values.config.telemetry.metricsPrefix }}.route'", "'-secrets_manager_openbao.route'",
				"openbao/metric-filters", lint.Warning, config, "data[config.json].telemetry.prefix_filter",
				`1 of 4 filters never match`,
			},
			{
				"templates/secret-http-audit.yaml", `dig "data" $http.secretKey`, `dig "data" "key"`,
				"openbao/audit-token", lint.Error, "Secret/openbao-http-audit", "data.token", "every upgrade",
			},
			{
				"templates/_postgresql.tpl", "if $c.connectTimeout", "if $c.tcpUserCount",
				"openbao/connect-timeout", lint.Warning, "", database + "connection.connectTimeout", "never rendered",
			},
			{
				"values.schema.json", `"table": {"type": `, `"table": {"maxLength": 0, "type": `,
				"openbao/table-name", lint.Warning, "", database + "table", "the schema refuses",
			},
			{
				"templates/_postgresql.tpl", `(include "openbao.escape" $c.username)`, `$c.username`,
				"openbao/url-escaping", lint.Error, config, url, "not escaped",
			},
			{
				"templates/_volumes.tpl", "- name: tmp\n  emptyDir: {}\n",
				"{{- if not .Values.extraVolumes }}\n- name: tmp\n  emptyDir: {}\n{{- end }}\n",
				"openbao/extra-volumes", lint.Error, "Deployment/openbao", "spec.template.spec.volumes", "volume tmp",
			},
		},
		"second": {
			{
				"values.yaml", "'-{{ .Values.config.telemetry.metricsPrefix }}.route'", "'-openbao.route'",
				"openbao/metric-filters", lint.Warning, config, "data[config.json].telemetry.prefix_filter", `begins with "probe."`,
			},
			{
				"templates/_postgresql.tpl", `dict "sslmode" $c.sslMode`, `dict "sslmode" $c.sslMode "keepalives_idle" 3`,
				"openbao/url-parameters", lint.Error, config, url, "keepalives_idle",
			},
			{
				"templates/_postgresql.tpl", `set $storage "ha_table" .`, `set $storage "hatable" .`,
				"openbao/table-name", lint.Warning, config, "data[config.json].storage.postgresql.ha_table", "does not come out",
			},
			{
				"templates/_postgresql.tpl", `(include "openbao.escape" $c.database)`, `$c.database`,
				"openbao/url-escaping", lint.Error, config, url, "not escaped",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			skip := map[string]string{"values/dead": "not looked at here", "values/unexercised": "not looked at here"}
			report := run(t, broken(t, defects), lint.Options{Dialect: "gitlab", Skip: skip})
			require.False(t, report.Passed)
			for _, d := range defects {
				requireFinding(t, report, d.rule, d.severity, d.object, d.path, d.words)
			}
		})
	}
}

// TestForeign: rules about OpenBao's values do not apply to a chart without them, and say so.
func TestForeign(t *testing.T) {
	t.Parallel()
	for _, outcome := range run(t, write(t, small), lint.Options{}).Rules {
		about := strings.HasPrefix(outcome.ID, "openbao/") || outcome.ID == "server/tiers"
		require.Equal(t, about, outcome.State == lint.Foreign, outcome.ID)
	}
}
