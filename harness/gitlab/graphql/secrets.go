package graphql

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	gql "github.com/graph-gophers/graphql-go"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// Limits of a secret. Source: GitLab EE, app/models/secrets_management/project_secret.rb.
const (
	maxValue   = 10_000 // bytes
	maxName    = 255
	maxSecrets = 100 // of a project
)

var secretName = regexp.MustCompile(`\A[a-zA-Z0-9_]+\z`)

type content struct {
	Description, Secret, Environment, Branch *string // nil stays as it is
}

// connection is the type ProjectSecretConnection.
type connection struct{ Nodes *[]*secretFields }

// ProjectSecret is the query of this name.
func (r *resolver) ProjectSecret(ctx context.Context, in struct {
	ProjectPath gql.ID
	Name        string
},
) (*secretFields, error) {
	t, err := r.tenant(ctx, in.ProjectPath)
	if err != nil {
		return nil, err
	}
	return r.look(ctx, t, in.Name)
}

// ProjectSecrets is the query of this name.
func (r *resolver) ProjectSecrets(ctx context.Context, in project) (*connection, error) {
	t, err := r.tenant(ctx, in.ProjectPath)
	if err != nil {
		return nil, err
	}
	nodes, err := r.list(ctx, t)
	return &connection{&nodes}, err
}

// ProjectSecretCreate is the mutation of this name.
func (r *resolver) ProjectSecretCreate(ctx context.Context, in struct {
	Input struct {
		ProjectPath          gql.ID
		Name                 string
		Description          *string
		Secret               string
		Environment          string
		Branch               string
		RotationIntervalDays *int32
	}
},
) (*payload, error) {
	t, err := r.tenant(ctx, in.Input.ProjectPath)
	if err != nil {
		return nil, err
	}
	if refused := check(in.Input.Name, in.Input.Secret); refused != "" {
		return refuse(refused)
	}
	there, err := r.list(ctx, t)
	if err != nil {
		return nil, err
	}
	switch {
	case slices.ContainsFunc(there, func(f *secretFields) bool { return f.Name == in.Input.Name }):
		return refuse("Secret already exists.")
	case len(there) >= maxSecrets:
		return refuse(fmt.Sprintf("Maximum number of secrets (%d) for this project has been reached. Please delete unused "+
			"secrets or contact your administrator to increase the limit.", maxSecrets))
	}
	secret := gitlab.Secret{Name: in.Input.Name, Environment: in.Input.Environment, Branch: in.Input.Branch, Version: 1}
	if err := r.stub.Seeder.Store(ctx, t, secret, in.Input.Secret); err != nil {
		return nil, err
	}
	return r.found(ctx, t, secret.Name)
}

// ProjectSecretUpdate is the mutation of this name.
func (r *resolver) ProjectSecretUpdate(ctx context.Context, in struct {
	Input struct {
		ProjectPath          gql.ID
		Name                 string
		Description          *string
		Secret               *string
		Environment          *string
		Branch               *string
		RotationIntervalDays *int32
		MetadataCas          int32
	}
},
) (*payload, error) {
	t, err := r.tenant(ctx, in.Input.ProjectPath)
	if err != nil {
		return nil, err
	}
	old, err := r.look(ctx, t, in.Input.Name)
	switch {
	case err != nil:
		return nil, err
	case old == nil:
		return refuse("Project secret does not exist.")
	case old.MetadataVersion == nil || *old.MetadataVersion != in.Input.MetadataCas:
		return refuse("This secret has been modified recently. Please refresh the page and try again.")
	}
	value := ""
	if in.Input.Secret != nil {
		value = *in.Input.Secret
	}
	if refused := check(in.Input.Name, value); refused != "" {
		return refuse(refused)
	}
	return r.update(ctx, t, *old, content{
		Description: in.Input.Description, Secret: in.Input.Secret,
		Environment: in.Input.Environment, Branch: in.Input.Branch,
	})
}

// update is fail-closed: the permission of before goes first, that of after comes last.
func (r *resolver) update(ctx context.Context, t gitlab.Tenant, old secretFields, c content) (*payload, error) {
	before := gitlab.Secret{Name: old.Name, Environment: old.Environment, Branch: old.Branch}
	after := before
	for from, to := range map[*string]*string{c.Environment: &after.Environment, c.Branch: &after.Branch} {
		if from != nil {
			*to = *from
		}
	}
	if before.Policy() != after.Policy() {
		if err := r.stub.Seeder.Withdraw(ctx, t, before); err != nil {
			return nil, err
		}
	}
	if c.Secret != nil {
		body := map[string]any{"data": map[string]any{"value": *c.Secret}}
		if answer, err := r.user(ctx, t, http.MethodPost, t.SecretPath+"/"+old.Name, body); err != nil || !answer.OK() {
			return failed(answer, err)
		}
	}
	description := old.Description
	if c.Description != nil {
		description = c.Description
	}
	metadata := map[string]any{
		"environment": after.Environment, "branch": after.Branch, "description": description,
		"create_completed_at": time.Now().UTC().Format(time.RFC3339),
	}
	body := map[string]any{"custom_metadata": metadata, "metadata_cas": *old.MetadataVersion}
	if answer, err := r.user(ctx, t, http.MethodPost, metadataOf(t)+"/"+old.Name, body); err != nil || !answer.OK() {
		return failed(answer, err)
	}
	if err := r.stub.Seeder.Grant(ctx, t, after); err != nil {
		return nil, err
	}
	return r.found(ctx, t, old.Name)
}

// ProjectSecretDelete is the mutation of this name.
func (r *resolver) ProjectSecretDelete(ctx context.Context, in struct {
	Input struct {
		ProjectPath gql.ID
		Name        string
	}
},
) (*payload, error) {
	t, err := r.tenant(ctx, in.Input.ProjectPath)
	if err != nil {
		return nil, err
	}
	old, err := r.look(ctx, t, in.Input.Name)
	if err != nil {
		return nil, err
	}
	if old == nil {
		return refuse("Project secret does not exist.")
	}
	if err := r.stub.Seeder.Withdraw(ctx, t, gitlab.Secret{
		Name: old.Name, Environment: old.Environment,
		Branch: old.Branch,
	}); err != nil {
		return nil, err
	}
	if answer, err := r.user(ctx, t, http.MethodDelete, metadataOf(t)+"/"+old.Name, nil); err != nil || !answer.OK() {
		return failed(answer, err)
	}
	return &payload{ProjectSecret: old, Errors: []string{}}, nil
}

func check(name, value string) string {
	switch {
	case len(name) > maxName || !secretName.MatchString(name):
		return "Name can contain only letters, digits and '_'."
	case len(value) > maxValue:
		return "Length of secret value exceeds allowed limits (10k bytes)."
	}
	return ""
}

func refuse(why string) (*payload, error) { return &payload{Errors: []string{why}}, nil }

func failed(answer *openbao.Response, err error) (*payload, error) {
	if err != nil {
		return nil, err
	}
	return refuse(answer.Message())
}

func (r *resolver) found(ctx context.Context, t gitlab.Tenant, name string) (*payload, error) {
	fields, err := r.look(ctx, t, name)
	return &payload{ProjectSecret: fields, Errors: []string{}}, err
}

// metadataOf is where the KV engine keeps what it knows about a tenant's secrets.
func metadataOf(t gitlab.Tenant) string {
	return strings.Replace(t.SecretPath, "/data/", "/metadata/", 1)
}

// user makes a request on behalf of the project's owner.
func (r *resolver) user(ctx context.Context, t gitlab.Tenant, method, path string, body any) (*openbao.Response,
	error,
) {
	s := r.stub.Seeder
	i := slices.IndexFunc(s.Recipes, func(r *gitlab.Recipe) bool { return r.ID == t.Recipe })
	if i < 0 {
		return nil, fmt.Errorf("recipe %q is unknown", t.Recipe)
	}
	auth, err := s.Recipes[i].UserAuth(s.Issuer, s.Audience, t)
	if err != nil {
		return nil, err
	}
	return s.Client.Do(ctx, openbao.Request{Method: method, Path: path, Body: body, Auth: auth})
}

// metadata is what the KV engine answers about a secret.
type metadata struct {
	Custom  map[string]string `json:"custom_metadata"`
	Version int32             `json:"current_metadata_version"`
}

func (m metadata) fields(name string) *secretFields {
	description := m.Custom["description"]
	return &secretFields{name, &description, m.Custom["environment"], m.Custom["branch"], &m.Version}
}

func (r *resolver) look(ctx context.Context, t gitlab.Tenant, name string) (*secretFields, error) {
	answer, err := r.user(ctx, t, http.MethodGet, metadataOf(t)+"/"+name, nil)
	if err != nil || answer.Status == http.StatusNotFound {
		return nil, err
	}
	var m metadata
	if err := json.Unmarshal(answer.Data, &m); err != nil || !answer.OK() {
		return nil, fmt.Errorf("OpenBao answers %d: %s", answer.Status, answer.Message())
	}
	return m.fields(name), nil
}

func (r *resolver) list(ctx context.Context, t gitlab.Tenant) ([]*secretFields, error) {
	answer, err := r.user(ctx, t, http.MethodGet, strings.Replace(t.SecretPath, "/data/", "/detailed-metadata/", 1)+
		"?list=true", nil)
	if err != nil || answer.Status == http.StatusNotFound {
		return nil, err
	}
	var data struct {
		Keys []string            `json:"keys"`
		Info map[string]metadata `json:"key_info"`
	}
	if err := json.Unmarshal(answer.Data, &data); err != nil || !answer.OK() {
		return nil, fmt.Errorf("OpenBao answers %d: %s", answer.Status, answer.Message())
	}
	var all []*secretFields
	for _, name := range data.Keys {
		all = append(all, data.Info[name].fields(name))
	}
	return all, nil
}
