package gitlab

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// recipeAPIVersion is the only recipe format this version reads.
const recipeAPIVersion = "steamer/recipe/v1"

//go:embed recipes/*.yaml recipes/group/*.yaml recipes/vault/*.yaml
var embedded embed.FS

// Recipe is the sequence of API calls by which some version of GitLab's Rails
// provisions a project and writes a secret. It is data: another GitLab is another file.
type Recipe struct {
	APIVersion string   `json:"apiVersion"`
	ID         string   `json:"id"`
	Version    int      `json:"version"` // raised with every change of the file
	Title      string   `json:"title"`
	Source     string   `json:"source"`     // where the sequence was read
	Namespaces []string `json:"namespaces"` // templates of the levels, outermost first
	SecretPath string   `json:"secretPath"` // template of the KV v2 data path
	Pipeline   Login    `json:"pipeline"`   // how CI jobs log in
	User       Login    `json:"user"`       // how Rails logs in on behalf of a user
	Provision  []Step   `json:"provision"`  // once per tenant
	Secret     []Step   `json:"secret"`     // once per secret
}

// Login is a login path template and a role.
type Login struct {
	Path string `json:"path"`
	Role string `json:"role"`
}

// Step is one API call. At most one of Body, Policy and Grant is set.
type Step struct {
	Name string `json:"name"`
	// "" or "privileged": Rails itself; "user": on behalf of the owner
	As string `json:"as,omitempty"`
	// "namespace" repeats the step per level, with Parent and Leaf set
	ForEach  string              `json:"forEach,omitempty"`
	Method   string              `json:"method"`             // GET, POST or DELETE
	Path     string              `json:"path"`               // template, relative to /v1/
	Body     map[string]any      `json:"body,omitempty"`     // strings in it are templates
	Policy   map[string][]string `json:"policy,omitempty"`   // path template to capabilities, replaces the policy
	Grant    map[string][]string `json:"grant,omitempty"`    // the same, added to what the policy already holds
	Tolerate []string            `json:"tolerate,omitempty"` // texts of a 400 answer that mean "already done"
}

// SetTokens changes the tokens that the roles of the recipe give to jobs: their type, service or
// batch, where it is not "", and how long they live, where ttl is not 0. It reports whether there
// is a role that says what tokens it gives; the answer of a CEL role is a program, which stays as
// it is.
func (r *Recipe) SetTokens(kind string, ttl time.Duration) bool {
	found := false
	for _, step := range r.Provision {
		if _, ok := step.Body["token_type"]; !ok {
			continue
		}
		found = true
		if kind != "" {
			step.Body["token_type"] = kind
		}
		if ttl != 0 {
			step.Body["token_ttl"], step.Body["token_max_ttl"] = ttl.String(), ttl.String()
		}
	}
	return found
}

// Recipes returns the recipes that come with Steamer for OpenBao, two-level before three-level.
func Recipes() ([]*Recipe, error) { return recipesIn("recipes") }

// RecipesFor returns the recipes that come with Steamer for a program.
func RecipesFor(kind openbao.Kind) ([]*Recipe, error) {
	if kind == openbao.KindVault {
		return recipesIn("recipes/vault")
	}
	return Recipes()
}

func recipesIn(dir string) ([]*Recipe, error) {
	names, err := fs.Glob(embedded, dir+"/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("embedded recipes: %w", err)
	}
	slices.Sort(names)
	slices.Reverse(names)
	var recipes []*Recipe
	for _, name := range names {
		raw, err := embedded.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("embedded recipes: %w", err)
		}
		r, err := ParseRecipe(name, raw)
		if err != nil {
			return nil, err
		}
		recipes = append(recipes, r)
	}
	return recipes, nil
}

// GroupRecipe returns the recipe by which a group gets secrets of its own. Plan must not use it:
// its tenant's "project" is a job's project, and a secret's Branch says "protected" or
// "unprotected", because group secrets know no branches.
func GroupRecipe() (*Recipe, error) {
	const name = "recipes/group/three-level-cel.yaml"
	raw, err := embedded.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("embedded recipes: %w", err)
	}
	return ParseRecipe(name, raw)
}

// Place makes a tenant of the recipe: it fills in where the tenant lives in OpenBao from its IDs.
func (r *Recipe) Place(t Tenant) (Tenant, error) {
	t.Recipe = r.ID
	err := r.place(&t)
	return t, err
}

// UserAuth is the inline login of a request that Rails makes on behalf of the owner of a tenant of
// the recipe.
func (r *Recipe) UserAuth(i *Issuer, audience string, t Tenant) (*openbao.InlineAuth, error) {
	path, err := expand(r.User.Path, inputs{Tenant: t}.view())
	if err != nil {
		return nil, fmt.Errorf("user.path: %w", err)
	}
	jwt, err := i.User(audience, t)
	return &openbao.InlineAuth{Path: path, Role: r.User.Role, JWT: jwt}, err
}

// ParseRecipe reads a recipe strictly: unknown and duplicate fields, unknown
// roles and templates that do not render are errors that name the step. input
// names the file in errors.
func ParseRecipe(input string, raw []byte) (*Recipe, error) {
	var r Recipe
	if err := document.YAML(raw, &r); err != nil {
		return nil, exit.Invalidf(input, "compare it with the recipes in harness/gitlab/recipes", "%w", err)
	}
	if err := r.validate(); err != nil {
		return nil, exit.Invalidf(input, "compare it with the recipes in harness/gitlab/recipes", "%w", err)
	}
	return &r, nil
}

var recipeID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (r *Recipe) validate() error {
	switch {
	case r.APIVersion != recipeAPIVersion:
		return fmt.Errorf("apiVersion is %q, want %q", r.APIVersion, recipeAPIVersion)
	case !recipeID.MatchString(r.ID):
		return fmt.Errorf("id %q must be lower-case words joined by hyphens", r.ID)
	case r.Version < 1:
		return fmt.Errorf("version %d must be 1 or more", r.Version)
	case len(r.Namespaces) == 0 || len(r.Provision) == 0 || len(r.Secret) == 0:
		return fmt.Errorf("namespaces, provision and secret must not be empty")
	case r.Pipeline.Role == "" || r.User.Role == "":
		return fmt.Errorf("pipeline.role and user.role must be set")
	}
	for _, step := range slices.Concat(r.Provision, r.Secret) {
		if err := step.validate(); err != nil {
			return fmt.Errorf("step %q: %w", step.Name, err)
		}
	}
	return r.rehearse()
}

func (s Step) validate() error {
	bodies := 0
	for _, set := range []bool{s.Body != nil, s.Policy != nil, s.Grant != nil} {
		if set {
			bodies++
		}
	}
	switch {
	case s.Name == "" || s.Path == "":
		return fmt.Errorf("name and path must be set")
	case !slices.Contains([]string{"GET", "POST", "DELETE"}, s.Method):
		return fmt.Errorf("method %q is none of GET, POST, DELETE", s.Method)
	case s.As != "" && s.As != "privileged" && s.As != "user":
		return fmt.Errorf("as %q is neither privileged nor user", s.As)
	case s.ForEach != "" && s.ForEach != "namespace":
		return fmt.Errorf("forEach %q is not namespace", s.ForEach)
	case bodies > 1:
		return fmt.Errorf("more than one of body, policy and grant is set")
	case slices.ContainsFunc(s.Tolerate, func(t string) bool { return strings.TrimSpace(t) == "" }):
		return fmt.Errorf("tolerate holds an empty text, which would tolerate every refusal")
	}
	return nil
}

// rehearse renders the whole recipe for a made-up tenant, so that a bad template
// is found before anything is sent.
func (r *Recipe) rehearse() error {
	t := Tenant{Recipe: r.ID, Org: 1, Group: 2, Project: 3, User: 4}
	if err := r.place(&t); err != nil {
		return err
	}
	if t.Name == "" || strings.Contains(t.Name, "//") {
		return fmt.Errorf("namespaces render to %q", t.Name)
	}
	in := inputs{Tenant: t, Issuer: "http://issuer.example", Audience: "http://openbao.example"}
	if _, err := r.provision(in); err != nil {
		return err
	}
	_, err := r.write(in, Secret{Name: "NAME", Environment: Any, Branch: Any, Version: 1}, "value")
	return err
}
