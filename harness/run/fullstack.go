package run

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/gitlab/graphql"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

// FullStackTopology is the name under which a full-stack run's scenarios are reported.
const FullStackTopology = "full-stack"

// connectTimeout bounds the first requests to GitLab and OpenBao together.
const connectTimeout = 20 * time.Second

// FullStack points a run at a GitLab and the OpenBao behind it: nothing is installed.
type FullStack struct {
	GitLab  string // URL
	OpenBao string // URL; "" is the audience of the job's token, which GitLab makes OpenBao's URL
	Token   string // of GitLab's API, scope api, of an owner of the project; a secret
	JWT     string // of a CI job of the project, as Runner presents it to OpenBao; a secret
	// Recipe is the ID of the recipe by which this GitLab lays out projects in OpenBao;
	// Organization and Group are the IDs it needs that no token holds. 0 as Group is the token's
	// namespace, which is right for projects directly in a top-level group.
	Recipe       string
	Organization int
	Group        int

	stack   scenario.Stack
	address string
}

// jobClaims are what a job's token says about it. IDs are strings in GitLab's tokens.
type jobClaims struct {
	Audience    any    `json:"aud"`
	Expires     int64  `json:"exp"`
	ProjectPath string `json:"project_path"`
	Project     string `json:"project_id"`
	Namespace   string `json:"namespace_id"`
	User        string `json:"user_id"`
	Environment string `json:"environment"`
	Ref         string `json:"ref"`
	RefType     string `json:"ref_type"`
	Scope       string `json:"secrets_manager_scope"`
}

const tokenHint = "give the JWT with which GitLab Runner would fetch the secrets of a job of the project"

// Check reads the tokens, and checks that GitLab and OpenBao answer. It changes nothing; its
// errors are of code exit.Invalid.
func (f *FullStack) Check(ctx context.Context) error {
	claims, err := f.claims()
	if err != nil {
		return err
	}
	if f.stack.Tenant, err = f.place(claims); err != nil {
		return err
	}
	f.stack.Project = claims.ProjectPath
	f.stack.Job = gitlab.Job{Environment: claims.Environment, Ref: claims.Ref, RefType: claims.RefType}
	f.stack.Token = func() (string, error) { return f.JWT, nil }
	f.stack.API, f.stack.Nobody = graphql.New(f.GitLab, f.Token, nil), graphql.New(f.GitLab, "", nil)
	for name, at := range map[string]string{"--gitlab-url": f.GitLab, "--openbao-url": f.address} {
		if parsed, err := url.Parse(at); err != nil || !slices.Contains([]string{"http", "https"}, parsed.Scheme) ||
			parsed.Host == "" {
			return exit.Invalidf(name+" "+at, "give it as https://HOST", "not a valid URL")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if _, err := f.stack.API.Status(ctx, f.stack.Project); err != nil {
		return exit.Invalidf("--gitlab-url "+f.GitLab,
			"the URL has to be reachable from here, and GITLAB_TOKEN a token of scope api of an owner of "+f.stack.Project,
			"%w", err)
	}
	client := openbao.New(f.address, nil)
	defer client.Close()
	health, err := client.Health(ctx)
	if err == nil && (!health.Initialized || health.Sealed) {
		err = errors.New("it is sealed or not initialised")
	}
	if err != nil {
		return exit.Invalidf("--openbao-url "+f.address, "name the URL at which runners reach OpenBao", "%w", err)
	}
	return nil
}

// claims reads the job's token. Its signature is OpenBao's to check.
func (f *FullStack) claims() (*jobClaims, error) {
	var c jobClaims
	parts := strings.Split(f.JWT, ".")
	if len(parts) != 3 {
		return nil, exit.Invalidf("STEAMER_JOB_JWT", tokenHint, "not a JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	switch {
	case err != nil:
		return nil, exit.Invalidf("STEAMER_JOB_JWT", tokenHint, "its claims cannot be read")
	case c.ProjectPath == "" || c.Project == "":
		return nil, exit.Invalidf("STEAMER_JOB_JWT", tokenHint, "it names no project")
	case time.Unix(c.Expires, 0).Before(time.Now()):
		return nil, exit.Invalidf("STEAMER_JOB_JWT", "a job's token lasts as long as the job may", "it expired at %s",
			time.Unix(c.Expires, 0).UTC().Format(time.RFC3339))
	case c.Scope != "pipeline":
		return nil, exit.Invalidf("STEAMER_JOB_JWT", tokenHint, "its secrets_manager_scope is %q and not \"pipeline\"",
			c.Scope)
	}
	f.address = f.OpenBao
	if audience, ok := c.Audience.(string); ok && f.address == "" {
		f.address = audience
	}
	return &c, nil
}

// place finds where the project lives in OpenBao.
func (f *FullStack) place(c *jobClaims) (gitlab.Tenant, error) {
	recipes, err := gitlab.Recipes()
	if err != nil {
		return gitlab.Tenant{}, err
	}
	names := make([]string, 0, len(recipes))
	for _, r := range recipes {
		names = append(names, r.ID)
	}
	i := slices.Index(names, f.Recipe)
	if i < 0 {
		return gitlab.Tenant{}, exit.Invalidf("--recipe "+f.Recipe, "it is one of "+strings.Join(names, ", "),
			"no such recipe")
	}
	t := gitlab.Tenant{Org: f.Organization, Group: f.Group}
	for text, id := range map[string]*int{c.Project: &t.Project, c.User: &t.User, c.Namespace: &t.Group} {
		n, err := strconv.Atoi(text)
		if err != nil {
			return t, exit.Invalidf("STEAMER_JOB_JWT", tokenHint, "its IDs are not numbers")
		}
		if *id == 0 {
			*id = n
		}
	}
	return recipes[i].Place(t)
}

// RunFullStack runs the scenarios that need GitLab's API against a GitLab. It returns what Run
// does. Call f.Check before it.
func (r *Runner) RunFullStack(ctx context.Context, f *FullStack) (res *result.Result, dir string, err error) {
	if err := r.begin(); err != nil {
		return nil, "", err
	}
	defer func() { res, dir, err = r.finish(ctx, errors.Join(err, r.steps.Clean(ctx))) }()

	err = r.steps.Do(ctx, FullStackTopology, "scenarios", func(ctx context.Context) error { return r.stack(ctx, f) })
	r.result.Run.Partial = err != nil
	return nil, "", err
}

// stack runs the scenarios, after which the project has a secrets manager only if it had one.
func (r *Runner) stack(ctx context.Context, f *FullStack) error {
	list, err := r.Plan.Select(scenarios.All())
	if err != nil {
		return err
	}
	env := &scenario.Env{
		Topology: FullStackTopology, Address: f.address, Stacks: []scenario.Stack{f.stack},
		Withhold: []string{f.Token, f.JWT},
	}
	if r.Plan.Scenarios == scenario.All { // naming hundreds that cannot run here would hide those that do
		list = slices.DeleteFunc(list, func(s scenario.Scenario) bool { return env.Skip(s) != "" })
	}
	if err := r.deprovisionLater(ctx, f); err != nil {
		return err
	}
	r.result.Topologies = append(r.result.Topologies, result.Topology{
		Name: FullStackTopology, Scenarios: []result.Scenario{}, Checks: []result.Check{}, Reasons: []string{},
		Versions: map[string]string{}, Images: map[string]string{},
	})
	out := &r.result.Topologies[0]
	client := openbao.New(f.address, nil)
	defer client.Close()
	health, err := client.Health(ctx)
	if err != nil {
		return exit.Environmentf("OpenBao", "", "%w", err)
	}
	out.Versions["openbao"] = health.Version
	out.Scenarios, err = r.suite(ctx, nil, []*scenario.Env{env}, list)
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("no scenario can run without a cluster among those of %s", r.Plan.Scenarios)
	}
	return err
}

// deprovisionLater has the project's secrets manager removed when the run ends, if it has none
// now.
func (r *Runner) deprovisionLater(ctx context.Context, f *FullStack) error {
	before, err := f.stack.API.Status(ctx, f.stack.Project)
	if err != nil {
		return exit.Environmentf("GitLab", "", "%w", err)
	}
	if before != "" {
		return nil
	}
	r.steps.Cleanup("secrets manager of "+f.stack.Project, func(ctx context.Context) error {
		if now, err := f.stack.API.Status(ctx, f.stack.Project); err != nil || now == "" {
			return err
		}
		return f.stack.API.Deprovision(ctx, f.stack.Project)
	})
	return nil
}
