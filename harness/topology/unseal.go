package topology

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// unsealer is the operator of a server that does not unseal itself: as long as the environment
// lives, it unseals each pod that comes up sealed, by a key that is in memory only.
type unsealer struct {
	cancel context.CancelFunc
	group  sync.WaitGroup

	mu   sync.Mutex
	last map[string]attempt // by pod
}

// attempt is when a pod was last unsealed, and what came of it.
type attempt struct {
	at  time.Time
	err error
}

// attemptEvery is the least time between two attempts to unseal a pod: a node that joins a raft
// cluster takes a moment to use its key.
const attemptEvery = 2 * time.Second

// errNotJoined is what keeps a pod sealed that no key can open yet.
var errNotJoined = errors.New("it is not initialised: it has not joined the other pods")

// why is what keeps a pod sealed.
func (u *unsealer) why(pod string) string {
	const key = "is the unseal key the one the storage was initialised with?"
	if u == nil {
		return key
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.last[pod].err; err != nil {
		return err.Error()
	}
	return "Steamer unseals it; " + key
}

// due reports whether a pod may be unsealed again, and counts that as an attempt.
func (u *unsealer) due(pod string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if time.Since(u.last[pod].at) < attemptEvery {
		return false
	}
	u.last[pod] = attempt{time.Now(), u.last[pod].err}
	return true
}

// done records what came of an attempt.
func (u *unsealer) done(pod string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last[pod] = attempt{u.last[pod].at, err}
}

// stop ends it. It may be called on nil, and twice.
func (u *unsealer) stop() {
	if u != nil {
		u.cancel()
		u.group.Wait()
	}
}

// Kind is the program that the chart is made for, and whose ways are used.
func (e *Environment) Kind() openbao.Kind { return e.Spec.Dialect.Server }

// Serves is the program that does serve: an OpenBao may be in a Vault's place. What is seen then
// is the chart's mechanics.
func (e *Environment) Serves() openbao.Kind {
	if e.mirrors {
		return openbao.KindOpenBao
	}
	return e.Kind()
}

// initialise does by API what OpenBao does by itself: it initialises the empty storage through one
// pod, makes Rails' login, and has every other pod unsealed from now on.
func (e *Environment) initialise(ctx context.Context) error {
	e.Log("initialising and unsealing " + e.Kind().Title() + "; its key stays in memory")
	var first *openbao.Client
	err := await(ctx, InstallTimeout, e.Kind().Title()+"'s API", func(ctx context.Context) error {
		pods, err := e.Pods(ctx)
		if err != nil {
			return err
		}
		if len(pods) == 0 {
			return errors.New("there are no pods yet")
		}
		pod := slices.MinFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
		if first, err = e.podClient(pod.Name); err != nil {
			return err
		}
		health, err := first.Health(ctx)
		if err == nil && health.Version == "" {
			err = fmt.Errorf("the API server answers %d in its place", health.Status)
		}
		if err != nil {
			return fmt.Errorf("pod %s does not answer sys/health (%s): %w", pod.Name, podState(pod), err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	keys, err := first.Initialise(ctx)
	if err != nil {
		return err
	}
	if err := first.Unseal(ctx, keys); err != nil {
		return err
	}
	err = await(ctx, InstallTimeout, "the first node", func(ctx context.Context) error {
		health, err := first.Health(ctx)
		if err == nil && !health.Active() {
			err = fmt.Errorf("its health answers %d", health.Status)
		}
		return err
	})
	if err != nil {
		return err
	}
	answering, err := first.Answering(ctx)
	if err != nil {
		return err
	}
	audit := "stdout"
	if e.mirrors = answering != e.Kind(); e.mirrors {
		audit = "" // OpenBao takes audit devices from its configuration only
		e.Log("OpenBao serves in Vault's place: its labels openbao-* are copied to vault-*, which the Services select")
	}
	if err := gitlab.SetUp(ctx, e.Kind(), first, keys, e.Issuer.URL(), e.Audience(), audit); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.unsealer = &unsealer{cancel: cancel, last: map[string]attempt{}}
	own := *e // upgrades change what e is
	e.unsealer.group.Go(func() { own.keepUnsealed(running, keys) })
	return nil
}

// keepUnsealed unseals pods until ctx ends.
func (e *Environment) keepUnsealed(ctx context.Context, keys openbao.Keys) {
	said := map[string]bool{}
	_, _ = wait.Until(ctx, wait.For{What: "the environment ends", Interval: pollInterval},
		func(ctx context.Context) error {
			pods, err := e.Pods(ctx)
			for i := range pods {
				e.unseal(ctx, &pods[i], keys)
				why := e.mirror(ctx, &pods[i])
				if why != nil && ctx.Err() == nil && !said[why.Error()] {
					said[why.Error()] = true
					e.Log(why.Error())
				}
			}
			return errors.Join(err, errors.New("it goes on"))
		})
}

// unseal unseals a pod that is sealed. One that does not answer comes up or ends; readiness says
// so.
func (e *Environment) unseal(ctx context.Context, pod *corev1.Pod, keys openbao.Keys) {
	sealed := openbao.Registered(pod.Labels, openbao.LabelSealed) == "true"
	if pod.Status.PodIP == "" || pod.DeletionTimestamp != nil || cluster.PodReady(*pod) && !sealed {
		return
	}
	client, err := e.podClient(pod.Name)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	health, err := client.Health(ctx)
	switch {
	case err != nil || health.Version == "" || health.Initialized && !health.Sealed:
	case !health.Initialized:
		e.unsealer.done(pod.Name, errNotJoined)
	case e.unsealer.due(pod.Name):
		e.unsealer.done(pod.Name, client.Unseal(ctx, keys))
	}
}

// mirror gives a pod the labels of Vault that stand for those of OpenBao, where OpenBao serves in
// its place.
func (e *Environment) mirror(ctx context.Context, pod *corev1.Pod) error {
	missing := map[string]string{}
	for _, label := range []string{openbao.LabelActive, openbao.LabelSealed, openbao.LabelInitialized} {
		names := openbao.Spellings(label)
		if value, ok := pod.Labels[names[0]]; ok && pod.Labels[names[1]] != value {
			missing[names[1]] = value
		}
	}
	if !e.mirrors || len(missing) == 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": missing}})
	if err != nil {
		return err
	}
	_, err = e.Cluster.Client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch,
		metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// podClient reaches one pod's API through the API server, whatever its role is.
func (e *Environment) podClient(pod string) (*openbao.Client, error) {
	api, ok := e.Cluster.Client.CoreV1().RESTClient().(*rest.RESTClient)
	if !ok || api.Client == nil {
		return nil, fmt.Errorf("the Kubernetes client of type %T has no connection", e.Cluster.Client)
	}
	own := *api.Client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	url := api.Get().Namespace(e.Namespace).Resource("pods").SubResource("proxy").
		Name(e.Scheme() + ":" + pod + ":" + strconv.Itoa(e.Spec.Dialect.apiPort())).URL()
	return e.Kind().Client(url.String(), &own), nil
}

// checkPeers checks that every pod is a voter of the raft cluster: one that is lost shows in no
// label, until a second one is.
func (e *Environment) checkPeers(ctx context.Context, client *openbao.Client) error {
	voters, err := raftVoters(ctx, client, e.Issuer, e.Audience())
	if err != nil {
		return err
	}
	pods, err := e.replicas(ctx)
	if err == nil && voters != pods {
		err = fmt.Errorf("%d of %d pods are voters of the raft cluster", voters, pods)
	}
	return err
}

// raftVoters asks as Rails how many nodes vote.
func raftVoters(ctx context.Context, client *openbao.Client, issuer *gitlab.Issuer, audience string) (int, error) {
	const path = "sys/storage/raft/configuration"
	auth, err := issuer.RailsAuth(audience)
	if err != nil {
		return 0, err
	}
	r, err := client.Do(ctx, openbao.Request{Method: http.MethodGet, Path: path, Auth: auth})
	if err != nil {
		return 0, err
	}
	if !r.OK() {
		return 0, fmt.Errorf("GET %s: status %d: %s", path, r.Status, r.Message())
	}
	return openbao.Voters(r)
}

// notApplicable is why a dialect whose server keeps its data in its own pods has no hybrid
// topology.
func (d *Dialect) notApplicable(topology string) error {
	if d.Raft && topology == CloudNativeHybrid {
		return exit.Invalidf("--dialect "+d.Name+" in topology "+topology, "use --topology "+CloudNative+
			", or the dialect vault-postgresql", "its server keeps its data in its own pods: there is no database outside")
	}
	return nil
}
