package gitlab

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/openbao"
)

// Lifetimes of the JWTs, as GitLab sets them.
const (
	serviceTTL    = 30 * time.Second // privileged and user JWTs
	defaultJobTTL = time.Hour        // a job's JWT lives as long as the job may run; one hour is GitLab's default
	notBeforeLead = 5 * time.Second  // pipeline JWTs: nbf = iat - 5 s
)

// scope is the claim that keeps the three kinds of JWT apart.
const (
	scopeClaim      = "secrets_manager_scope"
	scopePrivileged = "privileged"
	scopeUser       = "user"
	scopePipeline   = "pipeline"
	railsSubject    = "gitlab_secrets_manager"
	ownerAccess     = "50" // GitLab's access level of a project owner
	railsPath       = "auth/gitlab_rails_jwt/login"
	railsRole       = "app"
)

// Job is the CI job a pipeline JWT speaks for.
type Job struct {
	Environment string        // "" is a job without environment
	Ref         string        // branch or tag name
	RefType     string        // "branch" or "tag"
	Protected   bool          // whether the ref is protected
	ID          int           // job ID; 0 becomes 1
	TTL         time.Duration // 0 is defaultJobTTL
}

// DefaultJob may read every secret that Plan lays out.
func DefaultJob() Job {
	return Job{Environment: DefaultEnvironment, Ref: DefaultBranch, RefType: "branch", Protected: true}
}

// RailsAuth is the inline login of a request that Rails makes on its own behalf: the mount and the
// role that the chart's self-initialisation makes, with a fresh JWT.
func (i *Issuer) RailsAuth(audience string) (*openbao.InlineAuth, error) {
	jwt, err := i.Privileged(audience)
	return &openbao.InlineAuth{Path: railsPath, Role: railsRole, JWT: jwt}, err
}

// Privileged signs the JWT with which Rails acts on its own behalf.
func (i *Issuer) Privileged(audience string) (string, error) {
	return i.privileged(audience, serviceTTL)
}

func (i *Issuer) privileged(audience string, ttl time.Duration) (string, error) {
	claims := i.base(audience, railsSubject, ttl)
	claims[scopeClaim] = scopePrivileged
	claims["correlation_id"] = rand.Text()
	claims["user_id"] = railsSubject
	claims["project_id"] = railsSubject
	return i.Sign(claims, nil)
}

// User signs the JWT with which Rails acts for the tenant's owner.
func (i *Issuer) User(audience string, t Tenant) (string, error) {
	return i.Sign(i.UserClaims(audience, t), nil)
}

// UserClaims returns the claims of User, for checks that alter some.
func (i *Issuer) UserClaims(audience string, t Tenant) map[string]any {
	claims := i.base(audience, "user:owner-"+strconv.Itoa(t.User), serviceTTL)
	claims[scopeClaim] = scopeUser
	claims["correlation_id"] = rand.Text()
	claims["user_id"] = strconv.Itoa(t.User)
	claims["project_id"] = strconv.Itoa(t.Project)
	claims["namespace_id"] = strconv.Itoa(t.Group)
	claims["role_id"] = ownerAccess
	claims["member_role_id"] = nil
	claims["groups"] = []string{}
	return claims
}

// Pipeline signs the JWT that a CI job of the tenant presents.
func (i *Issuer) Pipeline(audience string, t Tenant, j Job) (string, error) {
	return i.Sign(i.PipelineClaims(audience, t, j), nil)
}

// PipelineClaims returns the claims of Pipeline, for checks that alter some. All
// IDs are strings but runner_id, as in GitLab's ID tokens.
func (i *Issuer) PipelineClaims(audience string, t Tenant, j Job) map[string]any {
	if j.TTL == 0 {
		j.TTL = defaultJobTTL
	}
	if j.ID == 0 {
		j.ID = 1
	}
	path, user, refs := t.ProjectPath(), "user-"+strconv.Itoa(t.User), "refs/heads/"
	if j.RefType == "tag" {
		refs = "refs/tags/"
	}
	claims := i.base(audience, fmt.Sprintf("project_path:%s:ref_type:%s:ref:%s", path, j.RefType, j.Ref), j.TTL)
	for name, value := range map[string]any{
		"nbf":                time.Now().Add(-notBeforeLead).Unix(),
		scopeClaim:           scopePipeline,
		"correlation_id":     rand.Text(),
		"namespace_id":       strconv.Itoa(t.Group),
		"namespace_path":     strings.SplitN(path, "/", 2)[0],
		"project_id":         strconv.Itoa(t.Project),
		"project_path":       path,
		"user_id":            strconv.Itoa(t.User),
		"user_login":         user,
		"user_email":         user + "@example.com",
		"pipeline_id":        strconv.Itoa(j.ID),
		"pipeline_source":    "push",
		"job_id":             strconv.Itoa(j.ID),
		"ref":                j.Ref,
		"ref_type":           j.RefType,
		"ref_path":           refs + j.Ref,
		"ref_protected":      strconv.FormatBool(j.Protected),
		"runner_id":          1,
		"sha":                strings.Repeat("0", 40),
		"project_group_ids":  []string{strconv.Itoa(t.Group)},
		"runner_environment": "self-hosted",
		"project_visibility": "private",
	} {
		claims[name] = value
	}
	if j.Environment != "" {
		claims["environment"] = j.Environment
		claims["environment_protected"] = "false"
		claims["deployment_tier"] = j.Environment
		claims["environment_action"] = "start"
	}
	return claims
}

func (i *Issuer) base(audience, subject string, ttl time.Duration) map[string]any {
	now := time.Now()
	return map[string]any{
		"iss": i.url, "aud": audience, "sub": subject, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(ttl).Unix(),
	}
}
