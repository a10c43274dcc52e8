package plan

import (
	"fmt"

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

func (p Plan) checkInCluster() error {
	if p.InCluster == nil {
		return nil
	}
	return p.InCluster.Check()
}

// Check refuses what no cluster would run; errors are of code exit.Invalid and name the flags.
func (in *InCluster) Check() error {
	if in.Parallelism < 1 || in.Parallelism > MaxParallelism {
		return exit.Invalidf(fmt.Sprintf("--parallelism %d", in.Parallelism), fmt.Sprintf("use 1 to %d", MaxParallelism),
			"it is out of range")
	}
	for flag, quantity := range map[string]string{"--generator-cpu": in.CPU, "--generator-memory": in.Memory} {
		if quantity == "" {
			continue
		}
		parsed, err := resource.ParseQuantity(quantity)
		if err == nil && parsed.Sign() <= 0 {
			err = fmt.Errorf("it is not positive")
		}
		if err != nil {
			return exit.Invalidf(flag+" "+quantity, "use a Kubernetes quantity such as 500m or 512Mi", "%w", err)
		}
	}
	return nil
}
