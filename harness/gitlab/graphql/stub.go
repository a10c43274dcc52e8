package graphql

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	gql "github.com/graph-gophers/graphql-go"
	"github.com/graph-gophers/graphql-go/relay"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

//go:embed schema.graphql
var schema string

// forbidden is what GitLab answers whoever may not know that something exists.
const forbidden = "The resource that you are attempting to access does not exist or you don't have permission to " +
	"perform this action"

// Stub plays GitLab's GraphQL API for some projects. Behind it nothing is played: it makes the
// calls by which Rails provisions and changes a real OpenBao.
type Stub struct {
	// Seeder makes the calls. Its recipes must hold those of the projects, and it must have Replay
	// set.
	Seeder *gitlab.Seeder
	// Projects are the projects there are, by full path.
	Projects map[string]gitlab.Tenant
	// Token is the one that may use the API.
	Token string

	mu     sync.Mutex
	status map[string]string
	jobs   sync.WaitGroup // background jobs
}

// Handler serves graphqlPath.
func (s *Stub) Handler() (http.Handler, error) {
	parsed, err := gql.ParseSchema(schema, &resolver{s}, gql.UseFieldResolvers())
	if err != nil {
		return nil, err
	}
	mux, inner := http.NewServeMux(), &relay.Handler{Schema: parsed}
	mux.HandleFunc("POST "+graphqlPath, func(w http.ResponseWriter, r *http.Request) {
		given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		known := subtle.ConstantTimeCompare([]byte(given), []byte(s.Token)) == 1
		if given != "" && !known {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"message": "Invalid token"}}})
			return
		}
		inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, known)))
	})
	return mux, nil
}

// userKey is the context's key for whether the request is by somebody who may use the API.
type userKey struct{}

// resolver answers the queries and mutations of schema.graphql.
type resolver struct{ stub *Stub }

// tenant is the project that a request is about. Who may not see it is told what is told about one
// that does not exist.
func (r *resolver) tenant(ctx context.Context, path gql.ID) (gitlab.Tenant, error) {
	known, _ := ctx.Value(userKey{}).(bool)
	t, ok := r.stub.Projects[string(path)]
	if !known || !ok {
		return t, fmt.Errorf("%s", forbidden)
	}
	return t, nil
}

func (s *Stub) state(project string, to ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == nil {
		s.status = map[string]string{}
	}
	if len(to) > 0 {
		s.status[project] = to[0]
	}
	return s.status[project]
}

// secretsManager is the type ProjectSecretsManager.
type secretsManager struct{ Status *string }

func manager(status string) *secretsManager {
	if status == "" {
		return nil
	}
	return &secretsManager{&status}
}

// payload is what every mutation returns, with the one field that its type has.
type payload struct {
	ProjectSecretsManager *secretsManager
	ProjectSecret         *secretFields
	Errors                []string
}

// secretFields is the type ProjectSecret.
type secretFields struct {
	Name            string
	Description     *string
	Environment     string
	Branch          string
	MetadataVersion *int32
}

type project struct{ ProjectPath gql.ID }

// ProjectSecretsManager is the query of this name.
func (r *resolver) ProjectSecretsManager(ctx context.Context, in project) (*secretsManager, error) {
	if _, err := r.tenant(ctx, in.ProjectPath); err != nil {
		return nil, err
	}
	return manager(r.stub.state(string(in.ProjectPath))), nil
}

// ProjectSecretsManagerInitialize is the mutation of this name. Rails provisions in a background
// job, and so does this.
func (r *resolver) ProjectSecretsManagerInitialize(ctx context.Context, in struct{ Input project }) (*payload, error) {
	t, err := r.tenant(ctx, in.Input.ProjectPath)
	if err != nil {
		return nil, err
	}
	path := string(in.Input.ProjectPath)
	if r.stub.state(path) != "" {
		return &payload{Errors: []string{"Secrets manager already initialized for the project."}}, nil
	}
	r.stub.state(path, provisioning)
	r.stub.jobs.Go(func() {
		t.Secrets = nil
		if _, err := r.stub.Seeder.Run(context.WithoutCancel(ctx), []gitlab.Tenant{t}); err == nil {
			r.stub.state(path, Active)
		}
	})
	return &payload{ProjectSecretsManager: manager(provisioning), Errors: []string{}}, nil
}

// ProjectSecretsManagerDeprovision is the mutation of this name.
func (r *resolver) ProjectSecretsManagerDeprovision(ctx context.Context, in struct{ Input project }) (*payload, error) {
	t, err := r.tenant(ctx, in.Input.ProjectPath)
	if err != nil {
		return nil, err
	}
	parent, leaf, _ := cutLast(t.Name)
	answer, err := r.rails(ctx, http.MethodDelete, parent+"sys/namespaces/"+leaf)
	if err != nil {
		return nil, err
	}
	if !answer.OK() {
		return &payload{Errors: []string{answer.Message()}}, nil
	}
	r.stub.state(string(in.Input.ProjectPath), "")
	return &payload{Errors: []string{}}, nil
}

func cutLast(name string) (parent, leaf string, nested bool) {
	i := strings.LastIndexByte(name, '/')
	return name[:i+1], name[i+1:], i >= 0
}

func (r *resolver) rails(ctx context.Context, method, path string) (*openbao.Response, error) {
	auth, err := r.stub.Seeder.Issuer.RailsAuth(r.stub.Seeder.Audience)
	if err != nil {
		return nil, err
	}
	return r.stub.Seeder.Client.Do(ctx, openbao.Request{Method: method, Path: path, Auth: auth})
}

// Start serves the API on a loopback port of its own until stop is called, which waits for
// background jobs.
func (s *Stub) Start() (url string, stop func(), err error) {
	handler, err := s.Handler()
	if err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: timeout}
	go func() { _ = server.Serve(listener) }() // it ends with Close
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close()
		s.jobs.Wait()
	}, nil
}
