package protocol

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// Access is a read that is not as it was asked for.
type Access struct {
	Who    string `json:"who"`
	Secret string `json:"secret"`
	Wanted string `json:"wanted"`
	Gets   string `json:"gets"`
}

// String is the access in a sentence.
func (a Access) String() string {
	return a.Who + " " + a.what()
}

// what is the access without the reader.
func (a Access) what() string {
	switch {
	case a.Gets == noAccess:
		return fmt.Sprintf("cannot read %s, but should get %s", a.Secret, a.Wanted)
	case a.Gets == onlyAccess && a.Wanted == noAccess:
		return fmt.Sprintf("keeps access to the name %s, under which there is nothing", a.Secret)
	case a.Wanted == noAccess:
		return fmt.Sprintf("reads %s of %s, but should not", a.Gets, a.Secret)
	}
	return fmt.Sprintf("gets %s of %s instead of %s", a.Gets, a.Secret, a.Wanted)
}

// What a reader gets, or has to get, where that is no value.
const (
	noAccess   = "nothing"
	onlyAccess = "access to nothing"
)

// got is what a read found.
type got struct {
	value   int  // of the secret as it was asked for; unnamed for another text; nothing for none
	granted bool // it was not refused, although nothing may be there
}

// unnamed is a value that was never asked to be stored.
const unnamed = -1

// readLimit is how long a read is repeated until it is answered.
const readLimit = 20 * time.Second

// observation is what a reader got of a secret.
type observation struct {
	who  reader
	name string
	got
}

// observe reads every secret as every reader.
func (r *rails) observe(ctx context.Context, m *model, next http.RoundTripper) ([]observation, error) {
	client := openbao.New(address, &http.Client{Transport: next, Timeout: requestLimit})
	var list []observation
	for _, who := range m.readers() {
		for _, name := range m.names {
			o := observation{who: who, name: name}
			_, err := wait.Until(ctx, wait.For{What: "a read is answered", Deadline: readLimit},
				func(ctx context.Context) (err error) {
					o.got, err = r.read(ctx, client, who, name)
					return err
				})
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", who, name, err)
			}
			list = append(list, o)
		}
	}
	return list, nil
}

// judge returns what is not as a model wants it, and the worst of that.
func (m *model) judge(list []observation) (outcome string, wrong []Access) {
	outcome = Converged
	for _, o := range list {
		found, want := m.judgeOne(o)
		if found == Converged {
			continue
		}
		wrong = append(wrong, Access{
			Who: o.who.String(), Secret: o.name, Wanted: valueText(want, false), Gets: valueText(o.value, o.granted),
		})
		outcome = worse(outcome, found)
	}
	return outcome, wrong
}

// judgeOne holds what a reader got against what was asked for.
func (m *model) judgeOne(o observation) (outcome string, want int) {
	want = m.expect(o.who, o.name)
	if o.who.user != 0 && !o.who.values && want != nothing {
		want = seen
	}
	switch {
	case o.value == want && (want != nothing || !o.granted || o.who.everything()):
		return Converged, want
	case o.value == nothing && want == nothing:
		return leftOver, want
	case want == nothing:
		return exposed, want
	case o.value == nothing:
		return lockedOut, want
	}
	return stale, want
}

// seen stands for the metadata of a secret, which have no value.
const seen = -2

func valueText(value int, granted bool) string {
	switch {
	case value == nothing && granted:
		return onlyAccess
	case value == nothing:
		return noAccess
	case value == seen:
		return "the metadata"
	case value == unnamed:
		return "a value that was never stored"
	}
	return fmt.Sprintf("value %d", value)
}

// read reads a secret as a reader does. An error says that there was no usable answer.
func (r *rails) read(ctx context.Context, client *openbao.Client, who reader, name string) (got, error) {
	auth, path, err := r.login(who)
	if err != nil {
		return got{}, err
	}
	answer, err := client.Do(ctx, openbao.Request{Method: http.MethodGet, Path: path + "/" + name, Auth: auth})
	if err != nil {
		return got{}, err
	}
	if answer.Status == http.StatusNotFound && len(answer.Errors) == 0 {
		return got{granted: true}, nil
	}
	switch history.Outcome(history.Use, history.Answer{
		Status: answer.Status, JSON: !answer.Foreign, Data: answer.Data, Errors: answer.Errors,
	}) {
	case history.OK:
	case history.Refused, history.Failed:
		if upgrading(answer) {
			return got{}, fmt.Errorf("%s", answer.Message())
		}
		return got{}, nil
	default:
		return got{}, fmt.Errorf("status %d: %s", answer.Status, answer.Message())
	}
	if who.user != 0 && !who.values {
		return got{value: seen, granted: true}, nil
	}
	data, err := decoded(answer.Data)
	return got{value: r.valueOf(name, get(data, "data", "value")), granted: true}, err
}

// mostValues is the highest number of a value of a secret.
const mostValues = 20

// valueOf is the number of a value.
func (r *rails) valueOf(name, text string) int {
	for n := 1; n <= mostValues; n++ {
		if gitlab.Value(r.seed, r.tenant.Name, name, n) == text {
			return n
		}
	}
	return unnamed
}

// login is how a reader logs in, and the path below which it reads.
func (r *rails) login(who reader) (*openbao.InlineAuth, string, error) {
	t := r.tenant
	if who.user == 0 {
		jwt, err := r.issuer.Pipeline(r.audience, t, gitlab.Job{
			Environment: who.environment, Ref: who.branch,
			RefType: "branch",
		})
		return &openbao.InlineAuth{Path: t.AuthPath, Role: t.Role, JWT: jwt}, t.SecretPath, err
	}
	claims := r.issuer.UserClaims(r.audience, t)
	claims["user_id"], claims["role_id"] = fmt.Sprint(who.user), nil // no rights of a role
	auth, path := &openbao.InlineAuth{Path: t.Name + "/auth/user_jwt/cel/login", Role: "all_users"},
		t.Name+"/secrets/kv/metadata/explicit"
	if who.values {
		claims["secrets_manager_scope"] = "api"
		auth.Path, auth.Role, path = t.Name+"/auth/api_jwt/cel/login", "all_api", t.SecretPath
	}
	var err error
	auth.JWT, err = r.issuer.Sign(claims, nil)
	return auth, path, err
}
