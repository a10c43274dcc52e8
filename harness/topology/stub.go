package topology

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/client-go/rest"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// stub reaches the GitLab stub's own endpoints through the API server's proxy, which needs no port
// of the host.
type stub struct{ env *Environment }

var _ scenario.GitLab = stub{}

// auditSecret holds the token with which OpenBao sends audit records to the stub.
const (
	auditSecret = "gitlab-audit-token"
	auditKey    = "token"
)

// AuditSink is where the stub receives audit records, by GitLab's path.
func (e *Environment) AuditSink() scenario.Sink {
	return scenario.Sink{
		URL:    e.serviceURL("gitlab-stub", 8080) + "/api/v4/internal/secrets_manager/audit_logs",
		Secret: auditSecret, Key: auditKey,
	}
}

// GitLab returns the stub that stands for GitLab.
func (e *Environment) GitLab() scenario.GitLab { return stub{e} }

// Disturb implements scenario.GitLab.
func (s stub) Disturb(ctx context.Context, faults map[string]scenario.Failure) error {
	type fault struct {
		Status    int    `json:"status"`
		Delay     string `json:"delay"`
		Blackhole bool   `json:"blackhole"`
	}
	body := map[string]fault{}
	for endpoint, f := range faults {
		body[endpoint] = fault{f.Status, f.Delay.String(), f.Blackhole}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.do(ctx, s.client().Post(), "/-/control", raw, nil)
}

// Requests implements scenario.GitLab.
func (s stub) Requests(ctx context.Context) (map[string]int64, error) {
	var counters struct {
		Endpoints map[string]struct{ Requests int64 }
	}
	if err := s.do(ctx, s.client().Get(), "/-/counters", nil, &counters); err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for name, endpoint := range counters.Endpoints {
		out[name] = endpoint.Requests
	}
	return out, nil
}

// Publish implements scenario.GitLab.
func (s stub) Publish(ctx context.Context, jwks []byte) error {
	if jwks == nil {
		return s.do(ctx, s.client().Delete(), "/-/keys", nil, nil)
	}
	return s.do(ctx, s.client().Put(), "/-/keys", jwks, nil)
}

func (s stub) client() rest.Interface { return s.env.Cluster.Client.CoreV1().RESTClient() }

func (s stub) do(ctx context.Context, r *rest.Request, path string, body []byte, into any) error {
	r = r.Namespace(s.env.Namespace).Resource("services").Name("http:gitlab-stub:8080").SubResource("proxy").Suffix(path)
	if body != nil {
		r = r.Body(body)
	}
	raw, err := r.DoRaw(ctx)
	if err == nil && into != nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return fmt.Errorf("GitLab stub: %s: %w", path, err)
	}
	return nil
}
