package cli_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/cli"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/gitlab/graphql"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// site is a GitLab that the stub plays in front of a real OpenBao, and a job of its one project.
type site struct {
	url, openbao, token, jwt string
	tenant                   gitlab.Tenant
	issuer                   *gitlab.Issuer
	audience                 string
	client                   *openbao.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	server, err := localbao.Start(t.Context(), localbao.Options{})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	issuer, err := server.Trust()
	require.NoError(t, err)
	recipes, err := gitlab.Recipes()
	require.NoError(t, err)
	tenant, err := recipes[0].Place(gitlab.Tenant{Org: 1, Group: 5, Project: 7, User: 9})
	require.NoError(t, err)
	client := openbao.New(server.Address, nil)
	t.Cleanup(client.Close)
	stub := &graphql.Stub{
		Seeder:   &gitlab.Seeder{Client: client, Issuer: issuer, Audience: server.Audience, Recipes: recipes, Replay: true},
		Projects: map[string]gitlab.Tenant{tenant.ProjectPath(): tenant}, Token: "glpat-of-this-test",
	}
	url, stop, err := stub.Start()
	require.NoError(t, err)
	t.Cleanup(stop)
	job := gitlab.DefaultJob()
	job.TTL = time.Hour
	jwt, err := issuer.Pipeline(server.Audience, tenant, job)
	require.NoError(t, err)
	return &site{url, server.Address, stub.Token, jwt, tenant, issuer, server.Audience, client}
}

// test runs steamer test against the site. Empty variables are unset.
func (s *site) test(t *testing.T, token, jwt string, args ...string) (out outcome, dir string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir = t.TempDir()
	env := map[string]string{
		"STEAMER_ROOT": root, "STEAMER_CACHE": t.TempDir(), "GITLAB_TOKEN": token,
		"STEAMER_JOB_JWT": jwt,
	}
	var stdout, stderr bytes.Buffer
	code := cli.Main(t.Context(), &cli.State{
		Args:   append([]string{"test", "--output", dir, "--openbao-url", s.openbao}, args...),
		Stdout: &stdout, Stderr: &stderr, Getenv: func(name string) string { return env[name] },
	})
	return outcome{code, stdout.String(), stderr.String()}, dir
}

// TestFullStack points the scenarios at a GitLab: they pass, say so in every report, keep the
// tokens to themselves, and leave the project as they found it. Where OpenBao does not do what
// GitLab says, they fail.
func TestFullStack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	out, dir := s.test(t, s.token, s.jwt, "--gitlab-url", s.url)
	require.Equal(t, exit.Pass, out.code, out.stderr+out.stdout)
	require.Contains(t, out.stderr, "stack/job-matrix")
	require.NotContains(t, out.stderr, "access/", "what cannot run here is not listed")
	status, err := graphql.New(s.url, s.token, nil).Status(t.Context(), s.tenant.ProjectPath())
	require.NoError(t, err)
	require.Empty(t, status, "the secrets manager that the run made is gone")
	for _, name := range []string{"result.json", "junit.xml", "report.html", "report.md"} {
		files, err := filepath.Glob(filepath.Join(dir, "*", name))
		require.NoError(t, err)
		require.Len(t, files, 1, name)
		text, err := os.ReadFile(files[0])
		require.NoError(t, err)
		require.Contains(t, string(text), "stack/job-matrix", name)
		require.NotContains(t, string(text), s.token, name)
		require.NotContains(t, string(text), s.jwt, name)
	}
	require.NotContains(t, out.stdout+out.stderr, s.jwt)

	// A job of another project gets nothing, so that what GitLab says and OpenBao does are two
	// things.
	stranger := s.tenant
	stranger.Project, stranger.User = 8, 10
	job := gitlab.DefaultJob()
	claims := s.issuer.PipelineClaims(s.audience, stranger, job)
	claims["project_path"] = s.tenant.ProjectPath()
	jwt, err := s.issuer.Sign(claims, nil)
	require.NoError(t, err)
	out, _ = s.test(t, s.token, jwt, "--gitlab-url", s.url, "--run", "^stack/create-then-fetch$")
	require.Equal(t, exit.Fail, out.code, out.stderr+out.stdout)
	require.Contains(t, out.stdout, "stack/create-then-fetch failed")
}

// TestFullStackBadInput gives what has to be refused before anything is touched.
func TestFullStackBadInput(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	expired := s.issuer.PipelineClaims(s.audience, s.tenant, gitlab.DefaultJob())
	expired["exp"] = time.Now().Add(-time.Minute).Unix()
	old, err := s.issuer.Sign(expired, nil)
	require.NoError(t, err)
	user, err := s.issuer.User(s.audience, s.tenant)
	require.NoError(t, err)
	elsewhere := s.tenant
	elsewhere.Project = 99
	unknown, err := s.issuer.Pipeline(s.audience, elsewhere, gitlab.DefaultJob())
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		token, jwt string
		args       []string
		want       string
	}{
		"no token": {"", s.jwt, []string{"--gitlab-url", s.url}, "GITLAB_TOKEN: --gitlab-url needs it"},
		"no job":   {s.token, "", []string{"--gitlab-url", s.url}, "STEAMER_JOB_JWT: --gitlab-url needs it"},
		"no JWT": {
			s.token, "glpat-instead-of-it",
			[]string{"--gitlab-url", s.url},
			"STEAMER_JOB_JWT: not a JWT",
		},
		"expired": {s.token, old, []string{"--gitlab-url", s.url}, "it expired at"},
		"user's":  {s.token, user, []string{"--gitlab-url", s.url}, "names no project"},
		"wrong token": {
			"glpat-wrong", s.jwt,
			[]string{"--gitlab-url", s.url},
			"GitLab refused projectSecretsManager: Invalid token",
		},
		"unknown project": {
			s.token, unknown,
			[]string{"--gitlab-url", s.url},
			"does not exist or you don't have permission",
		},
		"no GitLab":    {s.token, s.jwt, []string{"--gitlab-url", web.URL}, "status 404 and no GraphQL answer"},
		"nobody there": {s.token, s.jwt, []string{"--gitlab-url", "http://127.0.0.1:1"}, "connection refused"},
		"no URL":       {s.token, s.jwt, []string{"--gitlab-url", "gitlab"}, "--gitlab-url gitlab: not a valid URL"},
		"no OpenBao": {s.token, s.jwt, []string{"--gitlab-url", s.url, "--openbao-url", web.URL}, "--openbao-url " +
			web.URL},
		"unknown recipe": {
			s.token, s.jwt,
			[]string{"--gitlab-url", s.url, "--recipe", "moon"},
			"--recipe moon: no such recipe",
		},
		"cluster flag": {
			s.token, s.jwt,
			[]string{"--gitlab-url", s.url, "--tenants", "7"},
			"--tenants: with --gitlab-url nothing is installed",
		},
		"unknown scenario":  {s.token, s.jwt, []string{"--gitlab-url", s.url, "--run", "^moon/"}, "moon"},
		"broken expression": {s.token, s.jwt, []string{"--gitlab-url", s.url, "--run", "("}, "("},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, dir := s.test(t, tc.token, tc.jwt, tc.args...)
			require.Equal(t, exit.Invalid, out.code, out.stderr+out.stdout)
			require.Contains(t, out.stderr, tc.want)
			require.Contains(t, out.stderr, "hint: ")
			if tc.jwt != "" {
				require.NotContains(t, strings.ReplaceAll(out.stderr, "STEAMER_JOB_JWT", ""), tc.jwt)
			}
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}
