package secret_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/secret"
)

func TestAssignment(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"replicas=2":                        "replicas=2",
		"auth.password=hunter2":             "auth.password=<withheld>",
		"a.token=x,b=c":                     "a.token=<withheld>,b=c",
		`a.password=x\,y=z,b=c`:             "a.password=<withheld>,b=c",
		"passwords={a,b},b=c":               "passwords=<withheld>,b=c",
		"credentials.user=bob":              "credentials.user=bob",
		"credentials.first=bob":             "credentials.first=<withheld>",
		"db.existingSecret=my-secret":       "db.existingSecret=my-secret",
		"db.secretName=my-secret":           "db.secretName=my-secret",
		"unseal.key=AAAA":                   "unseal.key=<withheld>",
		"tokenTTL=1h":                       "tokenTTL=1h",
		"secret.create=true":                "secret.create=true",
		"metrics.password=":                 "metrics.password=",
		"storage.dsn=postgres://u:p@h/d":    "storage.dsn=<withheld>",
		"storage.url=postgres://u:p@h/d":    "storage.url=postgres://<withheld>@h/d",
		`extra={"password":"x"}`:            "extra=<withheld>",
		"PGPASSWORD=x":                      "PGPASSWORD=<withheld>",
		"image.repository=registry/openbao": "image.repository=registry/openbao",
	} {
		require.Equal(t, want, secret.Assignment(text))
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "--secrets", "5", "--profile", "smoke"}, "steamer run --secrets 5 --profile smoke"},
		{[]string{"--set", "a.password=x y"}, "steamer --set 'a.password=<withheld>'"},
		{
			[]string{"--set=a.password=x", "--set-string", "b.token=y"},
			"steamer '--set=a.password=<withheld>' --set-string 'b.token=<withheld>'",
		},
		{
			[]string{"--token", "abc", "--admin-password=abc", "rest"},
			"steamer --token '<withheld>' '--admin-password=<withheld>' rest",
		},
		{[]string{"--repo", "https://u:p@h/x"}, "steamer --repo 'https://<withheld>@h/x'"},
		{[]string{"compare", "--base", "a.tgz@v.yaml"}, "steamer compare --base a.tgz@v.yaml"},
		{[]string{"https://token-alone@h/x"}, "steamer 'https://<withheld>@h/x'"},
	} {
		require.Equal(t, test.want, secret.CommandLine("steamer", test.args))
	}
	require.True(t, secret.IsWithheld("a.password="+secret.Withheld))
}

// TestLearnValues: what has a sensitive name is withheld wherever it appears later; names of
// Secrets and keys stay.
func TestLearnValues(t *testing.T) {
	t.Parallel()
	secret.LearnValues(map[string]any{
		"db": map[string]any{
			"password": "kite-of-values", "existingSecret": "kite-secret-name",
			"username": "kite-user",
		},
		"ref":         map[string]any{"password": map[string]any{"secret": "kite-ref-name", "key": "kite-ref-key"}},
		"tolerations": []any{map[string]any{"key": "kite-dedicated"}},
		"unseal":      map[string]any{"key": "kite9Zx0of+unseal="},
		"list":        map[string]any{"tokens": []any{"kite-in-list"}},
		"secretKey":   "postgres-password",
		"url":         "postgres://u:kite-in-url@h",
	})
	secret.LearnSecret(map[string][]byte{
		"username": []byte("kiteuser"), "any": []byte("kite7of3secret\n"), "raw": {0xff, 0xfe, 1, 2, 3, 4, 5, 6},
		"config": []byte("storage:\n  password: kite-in-config\n"),
	})
	for _, hidden := range []string{
		"kite-of-values", "kite9Zx0of+unseal=", "kite-in-list", "kite-in-url",
		"kite7of3secret", "kite-in-config", "//4BAgMEBQ",
	} {
		require.NotContains(t, secret.Redact("before "+hidden+" after"), hidden)
	}
	for _, open := range []string{
		"kite-secret-name", "kite-user", "kite-ref-name", "kite-ref-key", "kite-dedicated",
		"postgres-password", "kiteuser",
	} {
		require.Contains(t, secret.Redact("before "+open+" after"), open)
	}
}

// TestCleanKeepsJSON: a secret is found however JSON escapes it, and the text stays JSON.
func TestCleanKeepsJSON(t *testing.T) {
	t.Parallel()
	secret.Learn("ki\"te<\\of&json\t")
	for _, escaped := range []string{`ki\"te<\\of&json`, `ki\u0022te\u003c\u005cof\u0026json`} {
		require.JSONEq(t, `{"a":"x [redacted] y","b":[1,2.50],"[redacted]":null}`,
			string(secret.Clean("a.json", []byte(`{"a":"x `+escaped+` y","b":[1,2.50],"`+escaped+`":null}`))))
	}
	untouched := `{"a": "\u003cb>",  "n": 1e3}`
	require.Equal(t, untouched, string(secret.Clean("a.json", []byte(untouched))))
	type document struct {
		Text string
		Any  any
		Map  map[string]*[]string
		Time []int
	}
	d := &document{
		"ki\"te<\\of&json\t", "ki\"te<\\of&json\t",
		map[string]*[]string{"k": {"a", "ki\"te<\\of&json\t"}},
		[]int{1},
	}
	got := secret.Scrub(d)
	require.Equal(t, &document{"[redacted]", "[redacted]", map[string]*[]string{"k": {"a", "[redacted]"}}, []int{1}}, got)
	require.Equal(t, "ki\"te<\\of&json\t", d.Text, "the original stays")
}
