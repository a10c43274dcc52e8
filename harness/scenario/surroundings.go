package scenario

import (
	"context"
	"io"
	"time"
)

// PodLogs has what the containers of the environment wrote since it was installed, also those that
// are gone.
type PodLogs interface {
	// Each calls do with each log so far, from its beginning. It returns what is missing.
	Each(do func(source string, log io.Reader) error) (gaps []string, err error)
	// Forget drops the logs of containers that had ended when it was last called.
	Forget()
}

// Processes reaches the processes in the environment's pods.
type Processes interface {
	// Run runs a command in a container and returns what it wrote to its standard output.
	Run(ctx context.Context, namespace, pod, container string, command ...string) ([]byte, error)
	// Signal sends a signal, named without SIG, to every process of a container, the first
	// included. It comes from outside the container, because the kernel protects a container's
	// first process from KILL and STOP of others inside. Needs FeatureSignals.
	Signal(ctx context.Context, namespace, pod, container, signal string) error
}

// Failure is how an endpoint of GitLab misbehaves. The zero value is no fault.
type Failure struct {
	Status    int           // replaces the answer; 0 answers as usual
	Delay     time.Duration // comes before the answer
	Blackhole bool          // takes the request and never answers
}

// The endpoints of GitLab that OpenBao uses.
const (
	EndpointAudit     = "audit"     // receives audit records
	EndpointDiscovery = "discovery" // OpenID Connect discovery document
	EndpointKeys      = "keys"      // public keys
)

// GitLab is the stub that stands for GitLab, where it can be disturbed.
type GitLab interface {
	// Disturb sets the faults of these endpoints; the others keep theirs.
	Disturb(ctx context.Context, faults map[string]Failure) error
	// Requests returns how many requests each endpoint has got since the stub started.
	Requests(ctx context.Context) (map[string]int64, error)
	// Publish serves another set of public keys; nil brings the run's own back.
	Publish(ctx context.Context, jwks []byte) error
}

// Sink is GitLab's receiver of audit records, as OpenBao reaches it, and the Secret in the
// release's namespace with the token it expects.
type Sink struct{ URL, Secret, Key string }
