package deadlines

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"gitlab.com/steamer/steamer/harness/faults/pgproxy"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// callTime bounds one request, and recoverTime a takeover or a recovery.
const (
	callTime    = 30 * time.Second
	recoverTime = 2 * time.Minute
)

// bench is a server with what all trials share.
type bench struct {
	server  *localbao.Server
	nodes   []*localbao.Node
	ways    []*pgproxy.Proxy // of each to PostgreSQL
	http    *http.Client
	at      *openbao.Client // to what trials are prepared and revoked
	version string
	rails   *gitlab.Issuer
	job     *gitlab.Issuer // whose key the mount jobs trusts
	jwt     string         // of job
	admin   string         // a token that may do everything
	made    int
}

// connections is how many each node may have to PostgreSQL. OpenBao 2.4.0 needs two for each
// namespace that it deletes in the background, and hangs where all hold one and want another:
// those of one sleep have to fit.
const connections = 3 * perSleep

func start(ctx context.Context, o localbao.Options) (_ *bench, err error) {
	b := &bench{}
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	o.Through = func(postgres string) (string, error) {
		way, err := pgproxy.Start(postgres)
		if err != nil {
			return "", err
		}
		b.ways = append(b.ways, way)
		return way.Address(), nil
	}
	o.Patch = fmt.Appendf(nil, `[{"op": "replace", "path": "/storage/postgresql/max_parallel", "value": "%d"}]`,
		connections)
	o.Postgres = append(o.Postgres, fmt.Sprintf("max_connections=%d", 2*connections+10))
	if b.server, err = localbao.Start(ctx, o); err != nil {
		return nil, err
	}
	b.http = b.server.HTTPClient()
	if _, err := b.server.Join(ctx); err != nil {
		return nil, err
	}
	b.nodes = b.server.Nodes()
	b.at = openbao.New(b.nodes[0].Address, b.http)
	return b, b.prepareAll(ctx)
}

func (b *bench) stop() {
	if b.server != nil {
		b.http.CloseIdleConnections()
		b.server.Stop()
	}
	for _, way := range b.ways {
		way.Stop()
	}
}

// prepareAll logs in as Rails does, and makes what all trials share.
func (b *bench) prepareAll(ctx context.Context) error {
	h, err := b.at.Health(ctx)
	if err != nil {
		return err
	}
	b.version = h.Version
	if b.rails, err = b.server.Trust(); err != nil {
		return err
	}
	jwt, err := b.rails.Privileged(b.server.Audience)
	if err != nil {
		return err
	}
	t := &trial{bench: b}
	if b.admin, err = t.auth(ctx, post("auth/gitlab_rails_jwt/login", m{"role": "app", "jwt": jwt})); err != nil {
		return err
	}
	if b.job, b.jwt, err = t.newKey(); err != nil {
		return err
	}
	key, err := b.job.PublicPEM()
	if err != nil {
		return err
	}
	for _, r := range []openbao.Request{
		post("sys/namespaces/"+space, m{}),
		post(space+"/sys/policies/acl/"+reader, m{"policy": readPolicy}),
		post(space+"/sys/auth/"+jobs, m{"type": "jwt"}),
		post(space+"/auth/"+jobs+"/config", m{
			"jwt_validation_pubkeys": []string{string(key)}, "bound_issuer": b.server.Issuer,
		}),
	} {
		if err := t.call(ctx, r); err != nil {
			return err
		}
	}
	return t.fill(ctx, space, mount)
}

// trial is one revocation, with data of its own.
type trial struct {
	*bench
	name   string
	use    openbao.Request
	revoke func(context.Context) error
}

// prepare makes the data of a trial.
func (b *bench) prepare(ctx context.Context, k kind) (*trial, error) {
	b.made++
	t := &trial{bench: b, name: fmt.Sprintf("x%d", b.made)}
	if err := k.grant(ctx, t); err != nil {
		return nil, fmt.Errorf("preparing a trial: %w", err)
	}
	return t, nil
}

// root is a request that may do everything.
func (b *bench) root(r openbao.Request) openbao.Request { return as(b.admin, r) }

func (b *bench) ask(ctx context.Context, r openbao.Request) (*openbao.Response, error) {
	if r.Auth == nil && r.Header == nil {
		r = b.root(r)
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	answer, err := b.at.Do(ctx, r)
	if err == nil && !answer.OK() {
		err = fmt.Errorf("%s %s: status %d: %s", r.Method, r.Path, answer.Status, answer.Message())
	}
	return answer, err
}

// call makes a request that has to succeed.
func (b *bench) call(ctx context.Context, r openbao.Request) error {
	_, err := b.ask(ctx, r)
	return err
}

func (b *bench) asks(r openbao.Request) func(context.Context) error {
	return func(ctx context.Context) error { return b.call(ctx, r) }
}

// auth is the token in the answer to a login.
func (b *bench) auth(ctx context.Context, r openbao.Request) (string, error) {
	answer, err := b.ask(ctx, r)
	if err != nil {
		return "", err
	}
	var auth struct {
		Token string `json:"client_token"`
	}
	if json.Unmarshal(answer.Auth, &auth) != nil || auth.Token == "" {
		return "", fmt.Errorf("%s: the answer has no token", r.Path)
	}
	secret.Learn(auth.Token)
	return auth.Token, nil
}

// token makes one of a policy.
func (b *bench) token(ctx context.Context, policy string) (string, error) {
	return b.auth(ctx, post(space+"/auth/token/create-orphan", m{
		"policies": []string{policy}, "no_default_policy": true, "ttl": "24h",
	}))
}

// fill mounts a KV v2 and writes a secret once it takes requests.
func (b *bench) fill(ctx context.Context, namespace, at string) error {
	path := namespace + "/sys/mounts/" + at
	if err := b.call(ctx, post(path, m{"type": "kv", "options": m{"version": "2"}})); err != nil {
		return err
	}
	_, err := wait.Until(ctx, wait.For{
		What: "a new KV v2 takes requests", Interval: 20 * time.Millisecond, Deadline: callTime,
	}, func(ctx context.Context) error {
		return b.call(ctx, post(namespace+"/"+at+"/data/k", m{"data": m{"value": "none"}}))
	})
	return err
}

// newKey makes a signing key and a JWT of it.
func (b *bench) newKey() (*gitlab.Issuer, string, error) {
	issuer, err := gitlab.NewIssuer(b.server.Issuer, gitlab.ES256)
	if err != nil {
		return nil, "", err
	}
	now := time.Now()
	jwt, err := issuer.Sign(map[string]any{
		"iss": b.server.Issuer, "aud": b.server.Audience, "sub": "job",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(),
	}, nil)
	return issuer, jwt, err
}

func (b *bench) roleBody() m {
	return m{
		"role_type": "jwt", "bound_audiences": b.server.Audience, "user_claim": "sub", "token_policies": reader,
	}
}
