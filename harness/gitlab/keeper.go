package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Store makes the calls by which Rails stores one secret of a provisioned tenant, with any value.
// What the recipe tolerates is no error: whoever must not write over a secret looks first, as
// Rails does.
func (s *Seeder) Store(ctx context.Context, t Tenant, secret Secret, value string) error {
	return s.replay(ctx, t, secret, value, func(Step) bool { return true })
}

// Grant makes those of Store's calls that let jobs read the secret: Rails repeats them when its
// environment or branch changes.
func (s *Seeder) Grant(ctx context.Context, t Tenant, secret Secret) error {
	return s.replay(ctx, t, secret, "", func(step Step) bool { return step.Grant != nil })
}

func (s *Seeder) replay(ctx context.Context, t Tenant, secret Secret, value string, which func(Step) bool) error {
	r := s.recipe(t.Recipe)
	if r == nil {
		return exit.Invalidf("tenant "+t.Name, "use one of the seeder's recipes", "unknown recipe %q", t.Recipe)
	}
	c, in, err := s.caller(t, &atomic.Int64{})
	if err != nil {
		return err
	}
	calls, err := r.write(in, secret, value)
	if err != nil {
		return err
	}
	for _, k := range calls {
		if !which(k.step) {
			continue
		}
		if err := c.run(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// Withdraw takes from jobs the permission to read a secret, as Rails does before it deletes one or
// changes its environment or branch. A policy that permits nothing any more is deleted.
func (s *Seeder) Withdraw(ctx context.Context, t Tenant, secret Secret) error {
	const what = "withdraw permission"
	c, _, err := s.caller(t, &atomic.Int64{})
	if err != nil {
		return err
	}
	path := t.Name + "/sys/policies/acl/" + secret.Policy()
	r, err := c.send(ctx, http.MethodGet, path, nil, false)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	doc, err := policyOf(what, path, r)
	if err != nil {
		return err
	}
	data := strings.TrimPrefix(t.SecretPath, t.Name+"/") + "/" + secret.Name
	delete(doc.Path, data)
	delete(doc.Path, strings.Replace(data, "/data/", "/metadata/", 1))
	method, body := http.MethodPost, any(policyBody(doc, nil))
	if len(doc.Path) == 0 {
		method, body = http.MethodDelete, nil
	}
	if r, err = c.send(ctx, method, path, body, false); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !r.OK() {
		return refusal(what, method, path, r)
	}
	return nil
}
