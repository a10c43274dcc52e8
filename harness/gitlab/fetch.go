package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/openbao"
)

// Fetch is one secret fetch by a CI job: GitLab Runner's single GET with inline
// authentication, without retries.
type Fetch struct {
	SecretPath string // Tenant.SecretPath
	AuthPath   string // Tenant.AuthPath
	Role       string // Tenant.Role
	JWT        string
	Name       string // the secret's name
}

// FetchOf addresses a secret of the tenant with the given JWT.
func FetchOf(t Tenant, name, jwt string) Fetch {
	return Fetch{SecretPath: t.SecretPath, AuthPath: t.AuthPath, Role: t.Role, JWT: jwt, Name: name}
}

// ErrWrongValue is an answer with another value than the secret has.
var ErrWrongValue = errors.New("a wrong value")

// Check fetches a secret as the default job, by client, and returns why the answer is not the
// right value: ErrWrongValue where it is another. The reason never holds a value.
func (i *Issuer) Check(ctx context.Context, client *openbao.Client, audience, seed string, t Tenant, s Secret) error {
	jwt, err := i.Pipeline(audience, t, DefaultJob())
	if err != nil {
		return err
	}
	return FetchOf(t, s.Name, jwt).Check(ctx, client, t.Value(seed, s))
}

// Check is Do where the answer has to be a value. It returns why it is not, without any value:
// ErrWrongValue where it is another.
func (f Fetch) Check(ctx context.Context, client *openbao.Client, value string) error {
	a, err := f.Do(ctx, client)
	switch {
	case err != nil:
		return err
	case !a.OK():
		return fmt.Errorf("%v", a)
	case a.Value() != value:
		return ErrWrongValue
	}
	return nil
}

// Answer is what a fetch got.
type Answer struct {
	Status           int
	InlineAuthFailed bool // the login step refused
	Errors           []string
	Latency          time.Duration
	Version          int               // KV version of the value
	Metadata         map[string]string // custom metadata of the secret
	value            string
}

// Value returns the secret. It is no field so that printing an Answer is safe.
func (a Answer) Value() string { return a.value }

// OK reports that the fetch got a value.
func (a Answer) OK() bool { return a.Status == http.StatusOK }

// String describes the answer without the value.
func (a Answer) String() string {
	s := fmt.Sprintf("status %d", a.Status)
	if a.InlineAuthFailed {
		s += ", login refused"
	}
	if len(a.Errors) > 0 {
		s += ": " + strings.Join(a.Errors, "; ")
	}
	return s
}

// GoString keeps %#v from printing the value.
func (a Answer) GoString() string { return a.String() }

// Do fetches a secret. A refusal is an Answer; an error means that there was no
// usable answer, and never holds the JWT or the value.
func (f Fetch) Do(ctx context.Context, c *openbao.Client) (Answer, error) {
	r, err := c.Do(ctx, openbao.Request{
		Method: http.MethodGet,
		Path:   f.SecretPath + "/" + f.Name,
		Auth:   &openbao.InlineAuth{Path: f.AuthPath, Role: f.Role, JWT: f.JWT},
	})
	if err != nil {
		return Answer{}, err
	}
	return answerOf(r)
}

// answerOf reads a KV v2 answer.
func answerOf(r *openbao.Response) (Answer, error) {
	a := Answer{Status: r.Status, InlineAuthFailed: r.InlineAuthFailed, Errors: r.Errors, Latency: r.Latency}
	if r.Status != http.StatusOK {
		return a, nil
	}
	var data struct {
		Data struct {
			Value *string `json:"value"`
		} `json:"data"`
		Metadata struct {
			Version int               `json:"version"`
			Custom  map[string]string `json:"custom_metadata"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(r.Data, &data); err != nil || data.Data.Value == nil {
		return a, fmt.Errorf("status 200 without a value at .data.data.value")
	}
	a.value, a.Version, a.Metadata = *data.Data.Value, data.Metadata.Version, data.Metadata.Custom
	return a, nil
}
