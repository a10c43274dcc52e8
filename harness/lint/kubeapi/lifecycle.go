package kubeapi

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// The methods that k8s.io/api generates for kinds with an end; versions are major and minor.
type (
	deprecated interface{ APILifecycleDeprecated() (int, int) }
	removed    interface{ APILifecycleRemoved() (int, int) }
	replaced   interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}
)

// Lifecycle says where a kind of Kubernetes' own groups stands in this version: a description when
// it is deprecated or not served, else "". What replaces it is in the description where that is
// known.
func (a *API) Lifecycle(gvk schema.GroupVersionKind) (description string, served bool) {
	served = a.Serves(gvk)
	object, err := scheme.Scheme.New(gvk)
	if err != nil { // client-go does not know it any more, or never did
		if served {
			return "", true
		}
		return "Kubernetes " + a.Version + " does not serve it", false
	}
	var parts []string
	if !served {
		parts = append(parts, "Kubernetes "+a.Version+" does not serve it")
	}
	if d, ok := object.(deprecated); ok {
		if major, minor := d.APILifecycleDeprecated(); a.reached(major, minor) {
			parts = append(parts, fmt.Sprintf("deprecated since %d.%d", major, minor))
		}
	}
	if r, ok := object.(removed); ok && len(parts) > 0 {
		major, minor := r.APILifecycleRemoved()
		parts = append(parts, fmt.Sprintf("removed in %d.%d", major, minor))
	}
	if r, ok := object.(replaced); ok && len(parts) > 0 {
		parts = append(parts, "replaced by "+r.APILifecycleReplacement().GroupVersion().String()+" "+
			r.APILifecycleReplacement().Kind)
	}
	return strings.Join(parts, ", "), served
}

// reached says whether this version is at or after another.
func (a *API) reached(major, minor int) bool {
	parts := strings.SplitN(a.Version, ".", 3)
	ownMajor, _ := strconv.Atoi(parts[0])
	ownMinor, _ := strconv.Atoi(parts[1])
	return ownMajor > major || ownMajor == major && ownMinor >= minor
}
