package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// device is an audit device as the server lists it.
type device struct {
	Path    string            `json:"path"` // without a trailing slash
	Type    string            `json:"type"`
	Options map[string]string `json:"options"`
}

// auditDevices returns the server's audit devices, sorted by path.
func auditDevices(ctx context.Context, env *scenario.Env) ([]device, error) {
	r, err := env.Rails(ctx, http.MethodGet, "sys/audit", nil)
	if err != nil {
		return nil, err
	}
	if !r.OK() {
		return nil, fmt.Errorf("sys/audit: status %d: %s", r.Status, r.Message())
	}
	byPath := map[string]device{}
	if err := json.Unmarshal(r.Data, &byPath); err != nil {
		return nil, fmt.Errorf("sys/audit: %w", err)
	}
	var all []device
	for path, d := range byPath {
		d.Path = strings.TrimSuffix(path, "/")
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b device) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

// auditTrail finds the records of what a scenario does. Each record is found by the hash that the
// server itself makes of something only the scenario knows, so parallel scenarios do not
// interfere.
type auditTrail struct {
	env   *scenario.Env
	file  device
	tails *tails // of the pods' logs; nil where the log is a file
}

// follow begins a trail, which ends with ctx. It fails where no audit device writes to a file or
// to standard output.
func follow(ctx context.Context, env *scenario.Env) (*auditTrail, error) {
	devices, err := auditDevices(ctx, env)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(devices, func(d device) bool { return d.Type == "file" })
	if i < 0 {
		return nil, fmt.Errorf("no audit device writes to a file or to standard output: %v", devices)
	}
	t := &auditTrail{env: env, file: devices[i]}
	if env.Kube != nil && env.AuditFile == "" {
		t.tails = newTails(env)
		err = t.tails.follow(ctx)
	}
	return t, err
}

// hash returns what the log holds in the place of a secret.
func (t *auditTrail) hash(ctx context.Context, secret string) (string, error) {
	r, err := t.env.Rails(ctx, http.MethodPost, "sys/audit-hash/"+t.file.Path, map[string]any{"input": secret})
	if err != nil {
		return "", err
	}
	var data struct{ Hash string }
	if err := json.Unmarshal(r.Data, &data); err != nil || data.Hash == "" {
		return "", fmt.Errorf("sys/audit-hash/%s: status %d: %s", t.file.Path, r.Status, r.Message())
	}
	return data.Hash, nil
}

// read returns the records that hold one of the marks, in the order in which they were written.
func (t *auditTrail) read(ctx context.Context, marks ...string) ([]record, error) {
	if t.tails == nil {
		log, err := os.ReadFile(t.env.AuditFile)
		if err != nil {
			return nil, err
		}
		return parse(log, marks...)
	}
	if err := t.tails.follow(ctx); err != nil {
		return nil, err
	}
	var all []record
	for _, log := range t.tails.logs() {
		found, err := parse(log, marks...)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortStableFunc(all, func(a, b record) int { return a.Time.Compare(b.Time) })
	return all, nil
}

// exchange holds the records of one request with an inline login.
type exchange struct {
	Login   []record // of the login
	Request []record // of the request; none where the login was refused
}

// of returns the records of the request that carried the JWT of this hash, once they are complete:
// request and response of the login, and of the request itself if the login was not refused.
func (t *auditTrail) of(ctx context.Context, hash string) (*exchange, error) {
	all, err := t.read(ctx, hash)
	if err != nil {
		return nil, err
	}
	var act exchange
	for _, r := range all {
		if r.Request.Data["jwt"] == hash { // the request for the hash is in the log as well
			act.Login = append(act.Login, r)
		}
	}
	if len(act.Login) < 2 {
		return nil, fmt.Errorf("%d records of the login, want 2: %v", len(act.Login), act.Login)
	}
	token := act.Login[len(act.Login)-1].Response.Auth.ClientToken
	if token == "" {
		return &act, nil
	}
	if all, err = t.read(ctx, token); err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.Request.ClientToken == token {
			act.Request = append(act.Request, r)
		}
	}
	if len(act.Request) < 2 {
		return nil, fmt.Errorf("%d records of the request, want 2: %v", len(act.Request), act.Request)
	}
	return &act, nil
}

// await is of that waits until the log has caught up.
func (t *auditTrail) await(ctx context.Context, st scenario.T, what, jwt string) *exchange {
	st.Helper()
	hash, err := t.hash(ctx, jwt)
	require.NoError(st, err)
	var act *exchange
	t.env.Await(ctx, st, "the audit log has the records of "+what, t.env.Timeouts.Labels,
		func(ctx context.Context) (err error) {
			act, err = t.of(ctx, hash)
			return err
		})
	return act
}
