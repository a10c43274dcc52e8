package charts_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/openbao"
)

const (
	startTime = 60 * time.Second // for a node to answer, on a busy machine
	pollEvery = 100 * time.Millisecond
)

// TestRun starts the real OpenBao with what the chart renders, on a real PostgreSQL:
// the bootstrap Job, then both pods at once, several times over.
func TestRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	parallel := func(name string, check func(s *site, t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := *s // each has a key and mounted files of its own
			check(&own, t)
		})
	}
	for i := range 5 {
		parallel(fmt.Sprintf("install %d", i+1), func(s *site, t *testing.T) {
			s.install(t, fmt.Sprintf("install_%d", i+1), i == 0)
		})
	}
	parallel("no bootstrap, no half-initialised database", (*site).withoutBootstrap)
	parallel("interrupted initialisation", (*site).interrupted)
	parallel("rotation of the unseal key", (*site).rotation)
	parallel("other audit devices", (*site).otherAudit)
	parallel("TLS", (*site).tls)
	parallel("bootstrap beside the pods", (*site).beside)
	parallel("initialisation of one's own", (*site).ownInitialisation)
}

// install does what "helm install" does and checks what it promises. thorough adds
// the checks that need doing only once.
func (s *site) install(t *testing.T, database string, thorough bool) {
	values := s.fresh(t, database)
	out, err := s.bootstrap(t, values, "http://127.0.0.1:1")
	require.NoError(t, err, out)
	require.Contains(t, out, "GitLab's role is there")

	nodes := []*node{s.startNode(t, values), s.startNode(t, values)}
	active, standby := oneActive(t, nodes)
	for _, n := range nodes {
		s.login(t, n) // the standby forwards
		require.NotContains(t, n.log(), "Beginning post-unseal configuration", "a pod initialised on its own")
	}
	if !thorough {
		return
	}
	s.refusals(t, active)
	audited(t, active)
	metrics(t, active)
	require.Zero(t, s.exitCode(t, standby, "status"), "helm test passes")
	out, err = s.bootstrap(t, values, active.api)
	require.NoError(t, err, out)
	require.Contains(t, out, "already initialised", "an upgrade changes nothing")
	s.sealed(t, values)
}

// oneActive waits until one node is active and the other one a standby.
func oneActive(t *testing.T, nodes []*node) (active, standby *node) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		codes := []int{health(t, nodes[0]), health(t, nodes[1])}
		assert.ElementsMatch(c, []int{http.StatusOK, http.StatusTooManyRequests}, codes, "one active, one standby")
		active, standby = nodes[0], nodes[1]
		if codes[1] == http.StatusOK {
			active, standby = standby, active
		}
	}, startTime, pollEvery, "logs:\n%s\n%s", nodes[0].log(), nodes[1].log())
	return active, standby
}

// becomes waits until the node's health answers with a status code.
func becomes(t *testing.T, n *node, status int) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, status, health(t, n))
	}, startTime, pollEvery, "log:\n%s", n.log())
}

// health is the node's status code of sys/health, 0 without an answer.
func health(t *testing.T, n *node) int {
	client := openbao.New(n.api, nil)
	defer client.Close()
	h, err := client.Health(t.Context())
	if err != nil {
		return 0
	}
	return h.Status
}

// rails sends one request as Rails does, with a privileged JWT for the given audience.
func (s *site) rails(t *testing.T, n *node, method, path, aud string) *openbao.Response {
	t.Helper()
	jwt, err := s.issuer.Privileged(aud)
	require.NoError(t, err)
	client := openbao.New(n.api, nil)
	defer client.Close()
	answer, err := client.Do(t.Context(), openbao.Request{
		Method: method, Path: path,
		Auth: &openbao.InlineAuth{Path: "auth/gitlab_rails_jwt/login", Role: "app", JWT: jwt},
	})
	require.NoError(t, err)
	require.NotContains(t, n.log(), jwt, "the JWT is in the log")
	return answer
}

// login proves that Rails can do its work: OpenBao fetched the keys from the stub and trusts them.
// A standby that has not reached the leader's cluster port yet redirects instead of forwarding.
func (s *site) login(t *testing.T, n *node) {
	t.Helper()
	var answer *openbao.Response
	require.Eventually(t, func() bool {
		answer = s.rails(t, n, http.MethodGet, "sys/auth", audience)
		return answer.Status != http.StatusTemporaryRedirect
	}, startTime, pollEvery, "the standby never forwards; log:\n%s", n.log())
	require.Equal(t, http.StatusOK, answer.Status, answer.Message())
	require.Contains(t, string(answer.Data), "gitlab_rails_jwt/")
}

// refusals proves that the role and the policy bind.
func (s *site) refusals(t *testing.T, n *node) {
	t.Helper()
	other := s.rails(t, n, http.MethodGet, "sys/auth", "http://another")
	require.True(t, other.InlineAuthFailed, "a token for another audience logged in")
	// With a token: sealing does not take inline authentication and would be refused for that
	// alone.
	client := openbao.New(n.api, nil)
	defer client.Close()
	denied, err := client.Do(t.Context(), openbao.Request{
		Method: http.MethodPut, Path: "sys/seal", Header: http.Header{openbao.HeaderToken: {s.token(t, n)}},
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, denied.Status, "Rails may not seal OpenBao")
}

// token logs in as Rails does not, for a service token.
func (s *site) token(t *testing.T, n *node) string {
	t.Helper()
	jwt, err := s.issuer.Privileged(audience)
	require.NoError(t, err)
	body, err := json.Marshal(map[string]string{"role": "app", "jwt": jwt})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.api+"/v1/auth/gitlab_rails_jwt/login",
		bytes.NewReader(body))
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	var login struct {
		Auth struct {
			Token string `json:"client_token"`
		}
	}
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&login))
	require.NotEmpty(t, login.Auth.Token, "status %d", answer.StatusCode)
	return login.Auth.Token
}

// audited waits for the audit record of a login on the active node's standard output.
func audited(t *testing.T, n *node) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		log := n.log()
		assert.Contains(c, log, `"type":"request"`)
		assert.Contains(c, log, `"path":"auth/gitlab_rails_jwt/login"`)
	}, startTime, pollEvery)
}

// metrics reads the metrics listener, which asks for no token, and checks that the filters hold.
func metrics(t *testing.T, n *node) {
	t.Helper()
	status, body := scrape(t, n.metrics)
	require.Equal(t, http.StatusOK, status)
	require.Regexp(t, `(?m)^openbao_core_unsealed\{[^}]*\} 1$`, body)
	require.Contains(t, body, "openbao_core_handle_request")
	require.NotContains(t, body, "openbao_route_", "one series per mount")
	require.NotContains(t, body, "openbao_rollback_", "one series per mount")
	// These two appear when leadership is lost for the first time.
	rare := []string{"openbao_core_leadership_lost_count", "openbao_core_leadership_setup_failed_count"}
	for _, name := range monitored(t) {
		if strings.HasPrefix(name, "openbao_") && !slices.Contains(rare, name) {
			require.Regexp(t, `(?m)^`+name+`[{ ]`, body, "an alert or a panel asks for a metric that OpenBao does not have")
		}
	}
	status, _ = scrape(t, n.api)
	require.NotEqual(t, http.StatusOK, status, "the api listener asks for a token")
}

// monitored are the metrics that the alerts and the dashboard ask for.
func monitored(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, alert := range alertsOf(t, "prometheusRule: {enabled: true}") {
		names = append(names, metricNames(t, alert.Expr)...)
	}
	config := dashboardConfig(t, "grafanaDashboard: {enabled: true}")
	return append(names, dashboardMetrics(t, parse(t, config.Data[namespace+"-openbao.json"]))...)
}

func scrape(t *testing.T, address string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/sys/metrics?format=prometheus",
		http.NoBody)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(body)
}

// exitCode runs one bao command as the node's environment has it.
func (s *site) exitCode(t *testing.T, n *node, args ...string) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.bin, "bao"), args...)
	cmd.Env = n.env
	err := cmd.Run()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return failed.ExitCode()
	}
	require.NoError(t, err)
	return 0
}

// sealed proves that a wrong key shows: in the probes and in "helm test".
func (s *site) sealed(t *testing.T, values string) {
	t.Helper()
	require.NoError(t, os.WriteFile(s.key, make([]byte, 32), 0o600))
	n := s.startNode(t, values)
	becomes(t, n, http.StatusServiceUnavailable)
	require.Equal(t, 2, s.exitCode(t, n, "status"), "helm test fails on a sealed server")
}

// withoutBootstrap proves that pods alone never initialise: skipped hooks leave an
// empty, visibly uninitialised database, not one without GitLab's mount.
func (s *site) withoutBootstrap(t *testing.T) {
	values := s.fresh(t, "without_bootstrap")
	for _, n := range []*node{s.startNode(t, values), s.startNode(t, values)} {
		becomes(t, n, http.StatusNotImplemented)
	}
}

// beside proves that a Job beside pods initialises an empty database for them, and never leads one
// that is initialised, even when nobody answers.
func (s *site) beside(t *testing.T) {
	values := s.fresh(t, "beside")
	nodes := []*node{s.startNode(t, values), s.startNode(t, values)}
	for _, n := range nodes {
		becomes(t, n, http.StatusNotImplemented)
	}
	const nobody = "http://127.0.0.1:1"
	out, err := s.bootstrap(t, values, nobody, "ALONE=false")
	require.NoError(t, err, out)
	require.Contains(t, out, "GitLab's role is there")
	active, _ := oneActive(t, nodes)
	s.login(t, active)
	for _, n := range nodes {
		n.stop()
	}
	out, err = s.bootstrap(t, values, nobody, "ALONE=false")
	require.NoError(t, err, out)
	require.Contains(t, out, "left to the pods")
	require.NotContains(t, out, "acquired lock", "the Job led")
}

// ownInitialisation proves that the Job takes blocks in place of GitLab's: on an install, on an
// upgrade, and where the pods are away.
func (s *site) ownInitialisation(t *testing.T) {
	values := with(t, s.fresh(t, "own_initialisation"), `initializeTpl: '- own: {request: [
		{mount: {operation: update, path: sys/auth/userpass, data: {type: userpass}}}]}'`)
	const nobody = "http://127.0.0.1:1"
	out, err := s.bootstrap(t, values, nobody, "LOGIN=")
	require.NoError(t, err, out)
	n := s.startNode(t, values)
	becomes(t, n, http.StatusOK)
	out, err = s.bootstrap(t, values, n.api, "LOGIN=")
	require.NoError(t, err, out)
	require.Contains(t, out, "already initialised, an active server answers")
	n.stop()
	out, err = s.bootstrap(t, values, nobody, "ALONE=false", "LOGIN=")
	require.NoError(t, err, out)
	require.Contains(t, out, "left to the pods")
}

// interrupted proves that an initialised database without the role fails the release
// instead of passing for a good one.
func (s *site) interrupted(t *testing.T) {
	values := s.fresh(t, "interrupted")
	n := s.startNode(t, with(t, values, "{bootstrap: {enabled: false}, replicaCount: 1}"))
	becomes(t, n, http.StatusOK)
	answer := s.rails(t, n, http.MethodDelete, "sys/auth/gitlab_rails_jwt", audience)
	require.Equal(t, http.StatusNoContent, answer.Status, answer.Message())
	out, err := s.bootstrap(t, values, n.api)
	require.Error(t, err)
	require.Contains(t, out, "without GitLab's mount")
	require.Contains(t, out, "hint:")
}
