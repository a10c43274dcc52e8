package lint_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/lint"
)

func TestSeededSecurity(t *testing.T) {
	t.Parallel()
	requireSeeded(t, map[string]seeded{
		"root": {
			edit(t, deployment, "runAsNonRoot: true, ", ""), "security/pod-security", lint.Error, "Deployment/openbao-small",
			"spec.template.spec",
			"runAsNonRoot != true",
		},
		"host network by a switch": {
			valued("host", "false", object("v1", "Pod", strings.Replace(pod(""), "spec:\n",
				"spec:\n  hostNetwork: {{ .Values.host }}\n", 1))),
			"security/pod-security", lint.Warning, "Pod/openbao-extra", "spec", "hostNetwork",
		},
		"latest": {
			edit(t, deployment, "small:1.0", "small:latest"), "security/images", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].image", "floats",
		},
		"no tag": {
			edit(t, deployment, "small:1.0", "small"), "security/images", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].image", "neither tag nor digest",
		},
		"bad image": {
			edit(t, deployment, "small:1.0", "Small:1.0"), "security/images", lint.Error, "Deployment/openbao-small",
			"spec.template.spec.containers[0].image", "no image reference",
		},
		"private key": {
			add(object("v1", "ConfigMap", "data: {a: '-----BEGIN RSA PRIVATE KEY-----'}\n")), "security/plaintext", lint.Error,
			"ConfigMap/openbao-extra", "data[a]", "a private key",
		},
		"password in a URL": {
			edit(t, deployment, "          env:", "          args: ['postgres://a:b@c/d']\n          env:"),
			"security/plaintext", lint.Error, "Deployment/openbao-small", "spec.template.spec.containers[0].args[0]",
			"password in a URL",
		},
		"literal token": {
			edit(t, deployment, "          env:\n", "          env:\n            - {name: BAO_TOKEN, value: root}\n"),
			"security/plaintext", lint.Error, "Deployment/openbao-small", "spec.template.spec.containers[0].env[0].value",
			"BAO_TOKEN",
		},
		"canary": {
			valued("dbPassword", `""`, object("v1", "ConfigMap", "data: {url: 'user={{ .Values.dbPassword }}'}\n")),
			"security/canary", lint.Error, "ConfigMap/openbao-extra", "data[url]", "dbPassword",
		},
		"role": {
			add(object(rbacGroup, "Role", "rules: [{apiGroups: [\"\"], resources: [pods, secrets], verbs: [get]}]\n")),
			"security/rbac", lint.Error, "Role/openbao-extra", "rules[0]", "get secrets",
		},
		"everything": {
			add(object(rbacGroup, "Role", "rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n")), "security/rbac",
			lint.Error,
			"Role/openbao-extra", "rules[0]", "* *",
		},
		"cluster role": {
			add(object(rbacGroup, "ClusterRole", "rules: [{apiGroups: [\"\"], resources: [pods], verbs: [get]}]\n")),
			"security/rbac", lint.Error,
			"ClusterRole/openbao-extra", "rules[0]", "get pods",
		},
		"binding": {
			add(object(rbacGroup, "ClusterRoleBinding",
				"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "+
					"cluster-admin}\nsubjects: [{kind: Group, name: 'system:authenticated'}]\n")),
			"security/rbac", lint.Error, "ClusterRoleBinding/openbao-extra", "roleRef", "cluster-admin",
		},
		"binding to all": {
			add(object(rbacGroup, "ClusterRoleBinding",
				"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "+
					"cluster-admin}\nsubjects: [{kind: Group, name: 'system:authenticated'}]\n")),
			"security/rbac", lint.Error, "ClusterRoleBinding/openbao-extra", "subjects[0]", "system:authenticated",
		},
		"writable root": {
			edit(t, deployment, "readOnlyRootFilesystem: true, ", ""), "security/read-only", lint.Warning,
			"Deployment/openbao-small", "spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem",
			"container small can write its root file system",
		},
	})
}

// made is a password.
const made = "made-up"

// requireTexts checks the texts, all in one ConfigMap, for passwords.
func requireTexts(t *testing.T, texts map[string]string, found bool) {
	t.Helper()
	keys := map[string]string{}
	for name, text := range texts {
		keys[strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == ' ' }), "_")+".txt"] = text
	}
	quoted, err := json.Marshal(keys)
	require.NoError(t, err)
	report := run(t, write(t, add(object("v1", "ConfigMap", "data: "+strings.ReplaceAll(string(quoted), "{{",
		`{{ "{{" }}`)+
		"\n"))), lint.Options{})
	if !found {
		requireNone(t, report, "security/plaintext")
	}
	for key := range keys {
		if found {
			requireFinding(t, report, "security/plaintext", lint.Error, "ConfigMap/openbao-extra", "data["+key+"]",
				"what looks like a")
		}
	}
}

// TestPasswords: a password is found in every form in which texts give one.
func TestPasswords(t *testing.T) {
	t.Parallel()
	requireTexts(t, map[string]string{
		"URL":                  "postgres://openbao:" + made + "@db.example:5432/openbao",
		"URL with $ and brace": "postgres://openbao:made$up{pw@db.example:5432/openbao",
		"URL with NAME inside": "postgres://openbao:a$(B)c@db/x",
		"URL with two at":      "postgres://openbao:a@b@db/x",
		"URL in capitals":      "POSTGRES://openbao:" + made + "@db/x",
		"URL without user":     "redis://:" + made + "@db:6379/0",
		"URL of JDBC":          "jdbc:sqlserver://db:1433;user=a;password=" + made + ";",
		"Oracle":               "jdbc:oracle:thin:openbao/" + made + "@//db:1521/x",
		"DSN of MySQL":         "openbao:" + made + "@tcp(db:3306)/openbao",
		"quoted with blanks":   "host=db user=openbao password='made up pw' dbname=openbao",
		"in double quotes":     `password="made up"`,
		"blanks around":        "host=db password = made-up dbname=openbao",
		"query of a URL":       "postgres://db/x?user=a&password=made-up&sslmode=require",
		"with $ inside":        "password=ma$de",
		"Pwd":                  "Pwd=made-up;Server=db",
		"array of PHP":         "'password' => 'made-up',",
		"JSON":                 `{"password": "made-up"}`,
		"JSON in JSON":         `{"a": "{\"password\": \"made-up\"}"}`,
		"JSON of a number":     `{"password": 12345678}`,
		"JSON of a seal":       `{"seal": {"static": {"current_key": "bWFkZSB1cA=="}}}`,
		"JSON of a registry":   `{"auths": {"registry.example": {"auth": "dTptYWRlLXVw"}}}`,
		"HCL of a seal":        "seal \"awskms\" {\n  secret_key = \"made-up\"\n}",
		"HCL of a token":       "seal \"transit\" {\n  token = \"made-up\"\n}",
		"YAML":                 "db:\n  password: made-up",
		"YAML in quotes":       "db_password: 'made up'",
		"YAML with a key":      "\"password\": made-up",
		"YAML in braces":       "db: {user: a, password: made-up}",
		"YAML in lines":        "db:\n  password: |-\n    made-up\n",
		"YAML with an anchor":  "password: &pw made-up",
		"XML":                  "<password>made-up</password>",
		"netrc":                "machine db login a password made-up",
		"Redis":                "requirepass made-up",
		"header":               "Authorization: Basic dTptYWRlLXVw",
		"header of OpenBao":    "curl -H 'X-Vault-Token: made-up'",
		"variable of a script": "export PGPASSWORD='made-up'",
		"short variable":       "export DB_PASS=made-up",
		"key of a script":      "SECRET_KEY_BASE=0123456789abcdef",
		"Slack":                "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijkl",
	}, true)
}

// TestNoPasswords: what only looks like a password is none.
func TestNoPasswords(t *testing.T) {
	t.Parallel()
	requireTexts(t, map[string]string{
		"reference":              "postgres://openbao:$(PGPASSWORD)@db/x",
		"reference of a shell":   "postgres://openbao:${PGPASSWORD}@db/x",
		"variable of a shell":    "postgres://openbao:$PGPASSWORD@db/x",
		"template":               "postgresql://{{username}}:{{password}}@db/x",
		"password= of reference": "password=$(PGPASSWORD) user=a",
		"command":                "PASSWORD=$(cat /run/password)",
		"command in backquotes":  "PASSWORD=`cat /run/password`",
		"argument of a shell":    "PASSWORD=\"$1\"",
		"default of a shell":     "PASSWORD=\"${PW:-}\"",
		"no password":            "postgres://openbao@db/x?sslmode=verify-full",
		"port of a host":         "http://gitlab:8080/-/jwks",
		"host and port then at":  "http://gitlab:8080/a@b",
		"empty in JSON":          `{"password": ""}`,
		"empty in lines of JSON": "{\n  \"password\": \"\",\n  \"a\": \"${B}\"\n}",
		"schema in JSON":         `{"password": {"type": "string"}}`,
		"placeholder":            "postgres://user:<password>@db/x",
		"word in capitals":       "postgres://USER:PASSWORD@db/x",
		"word in underscores":    "password=__PASSWORD__",
		"stars":                  "password=****",
		"file":                   "password: file:///run/password",
		"Grafana":                "password: $__file{/run/password}\nother_password: $__env{PW}",
		"vault":                  "password: vault:secret/data/x#password",
		"Ruby":                   "password: \"<%= File.read('/run/password').strip %>\"",
		"Python":                 "a(password=os.environ[\"PW\"], b=c)\na(password=password)\na(password=self.password)",
		"format of Python":       "password: %(PW)s",
		"standard input":         "bao login password=-",
		"comparison":             `if [ "$PASSWORD" = "" ]; then`,
		"expression":             `a{password=~"x"}`,
		"policy":                 `password_policy = "made-up"`,
		"token type":             "token_type = \"service\"\ntoken_ttl = \"1h\"",
		"key by reference":       "current_key = \"env://KEY\"\ncurrent_key_id = \"made-up\"",
		"sub-tree":               "password:\n  secret: a",
		"empty lines":            "password: |\n\nother: a",
		"header by reference":    "Authorization: Bearer $TOKEN",
	}, false)
}

// TestSecretVariables: variables named like a secret have no literal value, except for what is
// none.
func TestSecretVariables(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, add(object("v1", "Pod", pod("      env:\n"+
		"        - {name: "+strings.Join([]string{
		"DB_PASSWORD, value: a", "dbPassword, value: a", "DB_PASS, value: a", "SECRET_KEY_BASE, value: a",
		"UNSEAL_KEY, value: a",
		"BAO_STATIC_SEAL_CURRENT_KEY, value: a", "APIKEY, value: a",
		"ALLOW_EMPTY_PASSWORD, value: 'yes'", "REQUIRE_PASSWORD, value: 'true'", "A_PASSWORD, value: '${B}'",
		"B_PASSWORD, value: /run/b", "PASSWORD_FILE, value: a", "SEAL_CURRENT_KEY_ID, value: a", "SORT_KEY, value: a",
		"BAO_TRANSIT_SEAL_KEY_NAME, value: a", "BYPASS, value: a",
	}, "}\n        - {name: ")+"}\n")))), lint.Options{})
	found := 0
	for _, f := range report.Findings {
		if f.Rule == "security/plaintext" {
			found++
		}
	}
	require.Equal(t, 7, found, text(t, report))
}

// TestPlaces: a password is found wherever others can read it.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const text = "postgres://a:made-up@db/x"
	for path, template := range map[string]string{
		"metadata.annotations[a]": object("v1", "ConfigMap", "  annotations: {a: '"+text+"'}\n"),
		"binaryData[a]": object("v1", "ConfigMap", "binaryData: {a: '{{ b64enc \""+text+
			"\" }}'}\n"),
		"spec.containers[0].command[0]": object("v1", "Pod", pod("      command: ['"+text+"']\n")),
		"spec.containers[0].env[0].value": object("v1", "Pod", pod("      env: [{name: A, value: '"+text+
			"'}]\n")),
		"spec.containers[0].livenessProbe.exec.command[0]": object("v1", "Pod",
			pod("      livenessProbe: {exec: {command: ['"+text+"']}}\n")),
		"spec.containers[0].lifecycle.preStop.exec.command[0]": object("v1", "Pod",
			pod("      lifecycle: {preStop: {exec: {command: ['"+text+"']}}}\n")),
		"spec.containers[0].livenessProbe.httpGet.httpHeaders[0]": object("v1", "Pod",
			pod("      livenessProbe: {httpGet: {port: 1, httpHeaders: [{name: A, value: '"+text+"'}]}}\n")),
		"spec.a[0].b":       object("moon.example/v1", "Moon", "spec: {a: [{b: '"+text+"'}]}\n"),
		"data[a]":           object("moon.example/v1", "Moon", "data: {a: '"+text+"'}\n"),
		"metadata.labels.a": object("v1", "ConfigMap", "  labels: {a: 'glpat-abcdefghijklmnopqrstuvwxyz'}\n"),
		"spec.volumes[0].csi.volumeAttributes.a": object("v1", "Pod",
			pod("  volumes: [{name: a, csi: {driver: a, volumeAttributes: {a: '"+text+"'}}}]\n")),
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			report := run(t, write(t, add(template)), lint.Options{})
			requireFinding(t, report, "security/plaintext", lint.Error, kindIn(template)+"/openbao-extra", path,
				"holds what looks like a")
		})
	}
}

// kindIn is the kind of the object in a template.
func kindIn(template string) string {
	_, after, _ := strings.Cut(template, "kind: ")
	kind, _, _ := strings.Cut(after, "\n")
	return kind
}

// TestNamedPlaces: a password is found by the name of the field that it is in, where that is no
// reference.
func TestNamedPlaces(t *testing.T) {
	t.Parallel()
	for path, template := range map[string]string{
		"data[PGPASSWORD]": object("v1", "ConfigMap",
			"data: {PGPASSWORD: made-up, RESET_PASSWORD: 'false', TOKEN: /run/a}\n"),
		"data[db-password]": object("v1", "ConfigMap", "data: {db-password: made-up}\n"),
		"spec.containers[0].args[1]": object("v1", "Pod",
			pod("      args: [--password, made-up, --ask-password, --verbose]\n")),
		"spec.db.password": object("moon.example/v1", "Moon", "spec: {db: {password: made-up}, "+
			"a: {password: {secretKeyRef: {name: b}}, passwordSecret: c, token: d}}\n"),
		"spec.env[0].value": object("moon.example/v1", "Moon", "spec: {env: [{name: PGPASSWORD, value: made-up}]}\n"),
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			report := run(t, write(t, add(template)), lint.Options{})
			for _, f := range report.Findings {
				require.True(t, f.Rule != "security/plaintext" || f.Path == path, f)
			}
			requireFinding(t, report, "security/plaintext", lint.Error, kindIn(template)+"/openbao-extra", path,
				"has a literal value")
		})
	}
}
