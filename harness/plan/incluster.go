package plan

import (
	"errors"

	"k8s.io/apimachinery/pkg/api/resource"

	"gitlab.com/steamer/steamer/harness/exit"
)

// InCluster says how many pods of the cluster drive the load, and what each may use.
type InCluster struct {
	Parallelism int    `json:"parallelism"`      // pods, 1 to MaxParallelism
	CPU         string `json:"cpu,omitempty"`    // Kubernetes quantity, request and limit; empty: no limit
	Memory      string `json:"memory,omitempty"` // the same
}

// MaxParallelism is how many pods may drive a load.
const MaxParallelism = 100

// Check refuses what no cluster would run; nil is fine. Errors are of code exit.Invalid and name
// the flags.
func (in *InCluster) Check() error {
	if in == nil {
		return nil
	}
	for flag, quantity := range map[string]string{"--generator-cpu": in.CPU, "--generator-memory": in.Memory} {
		if quantity == "" {
			continue
		}
		parsed, err := resource.ParseQuantity(quantity)
		if err == nil && parsed.Sign() <= 0 {
			err = errors.New("it is not positive")
		}
		if err != nil {
			return exit.Invalidf(flag+" "+quantity, "use a Kubernetes quantity such as 500m or 512Mi", "%w", err)
		}
	}
	return Bound("parallelism", in.Parallelism, 1, MaxParallelism)
}
