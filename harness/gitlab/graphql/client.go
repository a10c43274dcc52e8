// Package graphql speaks the part of GitLab's GraphQL API that manages a project's secrets, and
// plays it: Client is what a full-stack check uses against a real GitLab, Stub answers the same
// schema with the recipes by which Rails provisions OpenBao.
package graphql

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// graphqlPath is where GitLab serves GraphQL, relative to its URL.
const graphqlPath = "/api/graphql"

// The states of a secrets manager.
const (
	provisioning = "PROVISIONING"
	Active       = "ACTIVE"
)

// timeout bounds one request. GitLab ends its own at 60 s.
const timeout = 60 * time.Second

// maxAnswer is the largest answer that is read, in bytes.
const maxAnswer = 4 << 20

// Client makes requests as one user. It is safe for concurrent use.
type Client struct {
	url   string
	token string
	http  *http.Client
}

// New returns a client for the GitLab at url, with a token of scope api ("" is nobody). A nil
// client takes one with a time-out of 60 s.
func New(url, token string, client *http.Client) *Client {
	if client == nil {
		client = &http.Client{Timeout: timeout}
	}
	return &Client{strings.TrimRight(url, "/"), token, client}
}

// RefusedError is what GitLab says when it does not do what it was asked: in the errors of a
// mutation, or in those of the request.
type RefusedError struct {
	Operation string
	Errors    []string
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("GitLab refused %s: %s", e.Operation, strings.Join(e.Errors, "; "))
}

// Secret is a secret without its value.
type Secret struct {
	Name            string
	Description     string
	Environment     string
	Branch          string
	MetadataVersion int // 2 after a creation; an update has to name it
}

// NewSecret is a secret to create. "*" as environment or branch is any.
type NewSecret struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Value       string `json:"secret"` // at most 10,000 bytes
	Environment string `json:"environment"`
	Branch      string `json:"branch"`
}

// Change changes a secret. nil leaves a field as it is.
type Change struct {
	Value       *string `json:"secret,omitempty"`
	Environment *string `json:"environment,omitempty"`
	Branch      *string `json:"branch,omitempty"`
	MetadataCAS int     `json:"metadataCas"` // Secret.MetadataVersion as the caller knows it
}

const fields = "{ name description environment branch metadataVersion }"

// Status returns the state of a project's secrets manager, or "" where it has none.
func (c *Client) Status(ctx context.Context, project string) (string, error) {
	var data struct {
		Manager *struct{ Status string } `json:"projectSecretsManager"`
	}
	err := c.do(ctx, "projectSecretsManager", "query($p: ID!) { projectSecretsManager(projectPath: $p) { status } }",
		map[string]any{"p": project}, &data)
	if err != nil || data.Manager == nil {
		return "", err
	}
	return data.Manager.Status, nil
}

// Initialize asks for a project's secrets manager, which takes a while: see Status.
func (c *Client) Initialize(ctx context.Context, project string) error {
	return c.mutate(ctx, "projectSecretsManagerInitialize", "ProjectSecretsManagerInitializeInput",
		map[string]any{"projectPath": project})
}

// Deprovision removes a project's secrets manager with all its secrets, which takes a while.
func (c *Client) Deprovision(ctx context.Context, project string) error {
	return c.mutate(ctx, "projectSecretsManagerDeprovision", "ProjectSecretsManagerDeprovisionInput",
		map[string]any{"projectPath": project})
}

// Create creates a secret.
func (c *Client) Create(ctx context.Context, project string, s NewSecret) error {
	return c.mutate(ctx, "projectSecretCreate", "ProjectSecretCreateInput", input(project, "", s))
}

// Update changes a secret. A MetadataCAS that is no longer true is refused.
func (c *Client) Update(ctx context.Context, project, name string, change Change) error {
	return c.mutate(ctx, "projectSecretUpdate", "ProjectSecretUpdateInput", input(project, name, change))
}

// Delete deletes a secret.
func (c *Client) Delete(ctx context.Context, project, name string) error {
	return c.mutate(ctx, "projectSecretDelete", "ProjectSecretDeleteInput", map[string]any{
		"projectPath": project,
		"name":        name,
	})
}

// Secret returns a secret, or nil where there is none of this name.
func (c *Client) Secret(ctx context.Context, project, name string) (*Secret, error) {
	var data struct{ ProjectSecret *Secret }
	err := c.do(ctx, "projectSecret", "query($p: ID!, $n: String!) { projectSecret(projectPath: $p, name: $n) "+fields+
		" }",
		map[string]any{"p": project, "n": name}, &data)
	return data.ProjectSecret, err
}

// Secrets returns a project's secrets; of more than a hundred the first hundred.
func (c *Client) Secrets(ctx context.Context, project string) ([]Secret, error) {
	var data struct {
		ProjectSecrets struct{ Nodes []Secret }
	}
	err := c.do(ctx, "projectSecrets", "query($p: ID!) { projectSecrets(projectPath: $p) { nodes "+fields+" } }",
		map[string]any{"p": project}, &data)
	return data.ProjectSecrets.Nodes, err
}

// input is a mutation's input: a project, a name where that is given, and the fields of a struct.
func input(project, name string, of any) map[string]any {
	out := map[string]any{}
	raw, _ := json.Marshal(of) // strings and a number always encode
	_ = json.Unmarshal(raw, &out)
	out["projectPath"] = project
	if name != "" {
		out["name"] = name
	}
	return out
}

func (c *Client) mutate(ctx context.Context, name, inputType string, in map[string]any) error {
	var data map[string]*struct{ Errors []string }
	query := fmt.Sprintf("mutation($input: %s!) { %s(input: $input) { errors } }", inputType, name)
	if err := c.do(ctx, name, query, map[string]any{"input": in}, &data); err != nil {
		return err
	}
	payload := data[name]
	switch {
	case payload == nil:
		return &RefusedError{name, []string{"the answer has no payload"}}
	case len(payload.Errors) > 0:
		return &RefusedError{name, payload.Errors}
	}
	return nil
}

// do makes a request. Errors never hold its variables, which hold values.
func (c *Client) do(ctx context.Context, name, query string, variables map[string]any, into any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+graphqlPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: reading the answer: %w", name, err)
	}
	var answer struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("%s: status %d and no GraphQL answer: is %s a GitLab?", name, response.StatusCode, c.url)
	}
	if len(answer.Errors) > 0 {
		refused := &RefusedError{Operation: name}
		for _, e := range answer.Errors {
			refused.Errors = append(refused.Errors, e.Message)
		}
		return refused
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", name, response.StatusCode)
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		return fmt.Errorf("%s: %w", name, errors.New("the answer has another shape than GitLab's schema"))
	}
	return nil
}
