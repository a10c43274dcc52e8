package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// summaryPoll is how often the kubelets are asked. They sample their containers only every
// 10 to 15 s. An answer that is as old as the last one adds nothing.
const summaryPoll = 2 * time.Second

// summary is what is used of a kubelet's summary API (k8s.io/kubelet/pkg/apis/stats/v1alpha1):
// cumulative CPU time in nanoseconds and the working set in bytes. It knows nothing of throttling.
type summary struct {
	Pods []struct {
		PodRef     struct{ Name, Namespace string }
		Containers []struct {
			Name string
			CPU  struct {
				Time                 time.Time
				UsageCoreNanoSeconds float64
			}
			Memory struct{ WorkingSetBytes float64 }
		}
	}
}

// summaries samples the pods through the API server where Steamer has no way into the nodes, until
// ctx ends or one kubelet refuses.
func (o *Observer) summaries(ctx context.Context) error {
	ticker := time.NewTicker(summaryPoll)
	defer ticker.Stop()
	for {
		for _, node := range o.pods.nodeNames() {
			path := "/api/v1/nodes/" + node + "/proxy/stats/summary"
			data, err := o.pods.source.Client.CoreV1().RESTClient().Get().AbsPath(path).Param("only_cpu_and_memory",
				"true").DoRaw(ctx)
			if ctx.Err() != nil {
				return nil
			}
			if err == nil {
				err = o.foldSummary(data)
			}
			if err != nil {
				return fmt.Errorf("CPU and memory of the pods: the summary API of node %s's kubelet: %w", node, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (o *Observer) foldSummary(data []byte) error {
	var s summary
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	for _, pod := range s.Pods {
		for _, c := range pod.Containers {
			name := pod.PodRef.Namespace + "/" + pod.PodRef.Name + "/" + c.Name
			if described, wanted := o.pods.named(name); wanted && !c.CPU.Time.IsZero() {
				described.Coarse = true
				o.fold(name, described, c.CPU.Time, numbers{c.CPU.UsageCoreNanoSeconds, c.Memory.WorkingSetBytes})
			}
		}
	}
	return nil
}
