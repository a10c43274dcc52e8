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

// TestPasswords: a password is found in every form in which texts give one, and what only looks
// like one is not.
func TestPasswords(t *testing.T) {
	t.Parallel()
	const made = "made-up"
	for name, tc := range map[string]struct {
		text  string
		found bool
	}{
		"URL":                    {"postgres://openbao:" + made + "@db.example:5432/openbao", true},
		"URL with $ and {":       {"postgres://openbao:made$up{pw@db.example:5432/openbao", true},
		"URL with $NAME inside":  {"postgres://openbao:a$(B)c@db/x", true},
		"URL with two @":         {"postgres://openbao:a@b@db/x", true},
		"DSN of MySQL":           {"openbao:" + made + "@tcp(db:3306)/openbao", true},
		"quoted with blanks":     {"host=db user=openbao password='made up pw' dbname=openbao", true},
		"in double quotes":       {`password="made up"`, true},
		"blanks around =":        {"host=db password = made-up dbname=openbao", true},
		"query of a URL":         {"postgres://db/x?user=a&password=made-up&sslmode=require", true},
		"with $ inside":          {"password=ma$de", true},
		"JSON":                   {`{"password": "made-up"}`, true},
		"JSON in JSON":           {`{"a": "{\"password\": \"made-up\"}"}`, true},
		"YAML":                   {"db:\n  password: made-up", true},
		"YAML in quotes":         {"db_password: 'made up'", true},
		"variable of a script":   {"export PGPASSWORD='made-up'", true},
		"reference":              {"postgres://openbao:$(PGPASSWORD)@db/x", false},
		"reference of a shell":   {"postgres://openbao:${PGPASSWORD}@db/x", false},
		"variable of a shell":    {"postgres://openbao:$PGPASSWORD@db/x", false},
		"template":               {"postgresql://{{username}}:{{password}}@db/x", false},
		"password= of reference": {"password=$(PGPASSWORD) user=a", false},
		"command":                {"PASSWORD=$(cat /run/password)", false},
		"no password":            {"postgres://openbao@db/x?sslmode=verify-full", false},
		"port of a host":         {"http://gitlab:8080/-/jwks", false},
		"host and port, then @":  {"http://gitlab:8080/a@b", false},
		"empty in JSON":          {`{"password": ""}`, false},
		"placeholder":            {"postgres://user:<password>@db/x", false},
		"stars":                  {"password=****", false},
		"file":                   {"password: file:///run/password", false},
		"comparison":             {`if [ "$PASSWORD" = "" ]; then`, false},
		"expression":             {`a{password=~"x"}`, false},
		"policy":                 {`password_policy = "made-up"`, false},
		"sub-tree":               {"password:\n  secret: a", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			quoted, err := json.Marshal(tc.text)
			require.NoError(t, err)
			report := run(t, write(t, add(object("v1", "ConfigMap", "data: {a: "+string(quoted)+"}\n"))), lint.Options{})
			if tc.found {
				requireFinding(t, report, "security/plaintext", lint.Error, "ConfigMap/openbao-extra", "data[a]", "a password")
				return
			}
			requireNone(t, report, "security/plaintext")
		})
	}
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
		"spec.a[0].b": object("moon.example/v1", "Moon", "spec: {a: [{b: '"+text+"'}]}\n"),
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			report := run(t, write(t, add(template)), lint.Options{})
			kind := "Pod"
			for _, other := range []string{"ConfigMap", "Moon"} {
				if strings.Contains(template, "kind: "+other) {
					kind = other
				}
			}
			requireFinding(t, report, "security/plaintext", lint.Error, kind+"/openbao-extra", path, "a password in a URL")
		})
	}
}
