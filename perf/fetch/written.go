package fetch

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// perTenant is how many secrets the mode rails keeps in a project, beside those of the fixture.
// GitLab allows 100.
const perTenant = 10

// written is what the mode rails knows about one project, and the exclusive lease that Rails takes
// for each write. Only one process may write to a project, see Part.
type written struct {
	mu     sync.Mutex
	known  bool // whether exists is what the server has
	exists [perTenant]bool

	owner []http.Header // with the owner's login, one a token
	// URL paths: names are appended to the first two, the next two are the lists, policy is
	// pipelines/global, which holds the secrets that are bound neither to an environment nor to a
	// branch.
	data, metadata, names, list, policy string
	// dataRule and metadataRule are what names are appended to in the policy.
	dataRule, metadataRule string
}

// newWritten derives the paths from the tenant's, in the form GitLab gives them.
func newWritten(t *fixture.Tenant, owner []http.Header) (*written, error) {
	namespace, ok := namespaceOf(t.Owner.AuthPath)
	inside, below := strings.CutPrefix(t.SecretPath, namespace)
	mount, folder, data := strings.Cut(inside, "/data/")
	if !ok || !below || !data {
		return nil, fmt.Errorf("secretPath %q is not <namespace>/<mount>/data/<folder> in the namespace of owner.authPath %q",
			t.SecretPath, t.Owner.AuthPath)
	}
	base := "/v1/" + namespace + mount
	return &written{
		owner: owner,
		data:  base + "/data/" + folder + "/", metadata: base + "/metadata/" + folder + "/",
		names: base + "/metadata/" + folder + "?list=true", list: base + "/detailed-metadata/" + folder + "?list=true",
		policy:   "/v1/" + namespace + "sys/policies/acl/pipelines/global",
		dataRule: mount + "/data/" + folder + "/", metadataRule: mount + "/metadata/" + folder + "/",
	}, nil
}

// slotPrefix begins the name of each secret that the mode rails writes.
const slotPrefix = "STEAMER_LOAD_"

func slotName(i int) string { return slotPrefix + strconv.Itoa(i+1) }

// count returns how many of our secrets there are.
func (w *written) count() (n int) {
	for _, exists := range w.exists {
		if exists {
			n++
		}
	}
	return n
}

// nth returns the slot that is the n-th of those in the given state.
func (w *written) nth(exists bool, n int) int {
	for i, e := range w.exists {
		if e != exists {
			continue
		}
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}

// possible returns the wanted operation, or the nearest one that is possible. An unknown project
// is listed first, an empty one has nothing to change, and a full one takes no more.
func (w *written) possible(want Operation) Operation {
	n := w.count()
	switch {
	case !w.known:
		return opList
	case n == 0 && (want == opUpdate || want == opDelete):
		return opCreate
	case n == perTenant && want == opCreate:
		return opDelete
	}
	return want
}
