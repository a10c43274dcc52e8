package topology

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// RunningImages are the images of OpenBao's pods as their nodes report them, by "running/" and the
// container's name: the reference that was asked for and the ID that it led to, so that a tag that
// moved, or an image that values name, shows. Pods that run different ones give all of them.
func (e *Environment) RunningImages(ctx context.Context) (map[string]string, error) {
	pods, err := e.Pods(ctx)
	if err != nil {
		return nil, fmt.Errorf("images of OpenBao's pods: %w", err)
	}
	found := map[string][]string{}
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			if status.ImageID != "" { // else it has not started
				found["running/"+status.Name] = append(found["running/"+status.Name], status.Image+" ("+status.ImageID+")")
			}
		}
	}
	out := map[string]string{}
	for name, refs := range found {
		slices.Sort(refs)
		out[name] = strings.Join(slices.Compact(refs), ", ")
	}
	return out, nil
}
