package abuse

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// beyondLeeway is longer than the 60 s of clock skew that GitLab's roles allow. Their other two
// leeways, 150 s each, only stand in for claims that are absent (hashicorp/cap, jwt.Validator), so
// they never extend an exp.
const beyondLeeway = 10 * time.Minute

// withinLeeway is well within those 60 s.
const withinLeeway = 20 * time.Second

// outcome is what a login is expected to answer.
type outcome struct {
	text  string // of the refusal, compared without case
	taken bool   // the token works
	crash bool   // OpenBao 2.4.0 answers 500 where a 4xx would be right; a 4xx is accepted too
}

// taken is the outcome of a token that works.
var taken = outcome{taken: true} //nolint:gochecknoglobals // constant

func refused(text string) outcome { return outcome{text: text} }

// maker is what a token is made with.
type maker struct {
	env    *scenario.Env
	tenant gitlab.Tenant
}

// forged signs claims with another key than the issuer's, of the same kind.
func (m maker) forged(header map[string]any) (string, error) {
	forger, err := gitlab.NewIssuer(m.env.Issuer.URL(), gitlab.RS256)
	if err != nil {
		return "", err
	}
	return forger.Sign(m.claims(), header)
}

func (m maker) claims() map[string]any {
	return m.env.Issuer.PipelineClaims(m.env.Audience, m.tenant, gitlab.DefaultJob())
}

// set makes a properly signed token with one claim changed. A nil value removes the claim.
func set(claim string, value any) func(maker) (string, error) {
	return with(func(c map[string]any) {
		if c[claim] = value; value == nil {
			delete(c, claim)
		}
	})
}

func with(change func(c map[string]any)) func(maker) (string, error) {
	return func(m maker) (string, error) {
		claims := m.claims()
		change(claims)
		return m.env.Issuer.Sign(claims, nil)
	}
}

// header makes a properly signed token with one header field added or replaced.
func header(name string, value any) func(maker) (string, error) {
	return func(m maker) (string, error) { return m.env.Issuer.Sign(m.claims(), map[string]any{name: value}) }
}

// cut makes a valid token and damages its text.
func cut(spoil func(token string) string) func(maker) (string, error) {
	return func(m maker) (string, error) {
		token, err := m.env.Issuer.Sign(m.claims(), nil)
		return spoil(token), err
	}
}

// in is a time relative to now, as tokens write it.
func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// Texts with which both roles refuse a token before their own checks.
const (
	signature = "error verifying token signature"
	audience  = "invalid audience (aud) claim"
	issuer    = "invalid issuer (iss) claim"
)

// tokenTable is what the tables of tokens have in common.
func tokenTable() scenario.Scenario {
	return scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Protects: "all secrets of a project from anyone who can forge, alter or replay a token",
		Source:   "RFC 7519, RFC 8725; GitLab EE, pipeline role and its refusals",
		Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
	}
}

// core marks the tokens that every run tries, one of each kind that a role or a verifier must
// refuse.
func core(s scenario.Scenario) scenario.Scenario {
	s.Core = true
	return s
}

// token presents a token that differs from a valid one in one respect, and expects an outcome from
// the templated JWT role and one from the CEL role.
func token(mint func(m maker) (string, error), jwt, cel outcome) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		attacked := env.Sample(2)
		before := observe(ctx, t, env, attacked...)
		for _, tenant := range attacked {
			token, err := mint(maker{env, tenant})
			require.NoError(t, err)
			a, err := env.Send(ctx, gitlab.FetchOf(tenant, tenant.Secrets[0].Name, token))
			require.NoError(t, err)
			want := jwt
			if strings.Contains(tenant.Recipe, "cel") {
				want = cel
			}
			want.judge(t, tenant, a)
		}
		before.unharmed(ctx, t)
	}
}

// tokenRefused is token where both roles refuse with this text.
func tokenRefused(mint func(m maker) (string, error), text string) scenario.Test {
	return token(mint, refused(text), refused(text))
}

// tokenWorks is token where both roles accept.
func tokenWorks(mint func(m maker) (string, error)) scenario.Test { return token(mint, taken, taken) }

func (o outcome) judge(t scenario.T, tenant gitlab.Tenant, a gitlab.Answer) {
	t.Helper()
	text := strings.ToLower(strings.Join(a.Errors, " "))
	switch {
	case o.taken && a.OK():
	case o.taken:
		t.Errorf("%s: %v, want the token accepted", tenant.Name, a)
	case a.Status == http.StatusInternalServerError && o.crash && strings.Contains(text, "inline authentication"):
		t.Logf("%s: OpenBao answers %d to a client error, which Runner retries: %s", tenant.Name, a.Status, text)
	case a.Status < 400 || a.Status > 499 || !a.InlineAuthFailed:
		t.Errorf("%s: %v, want the login refused with a 4xx", tenant.Name, a)
	case !o.crash && !strings.Contains(text, strings.ToLower(o.text)):
		t.Errorf("%s: refused for a reason other than %q: %s", tenant.Name, o.text, text)
	}
}

// duplicated repeats a claim after its true value. Parsers differ in which of the two they use.
func duplicated(claim, value string) func(maker) (string, error) {
	return func(m maker) (string, error) {
		raw, err := json.Marshal(m.claims())
		if err != nil {
			return "", err
		}
		extra, _ := json.Marshal(map[string]string{claim: value}) // strings always encode
		return m.env.Issuer.SignPayload(append(append(raw[:len(raw)-1], ','), extra[1:]...), nil)
	}
}

// unsigned joins a header and the claims of a valid token without a signature.
func unsigned(alg string) func(maker) (string, error) {
	return func(m maker) (string, error) {
		token, err := gitlab.Unsigned(m.claims())
		if err != nil {
			return "", err
		}
		_, rest, _ := strings.Cut(token, ".")
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + rest, nil
	}
}
