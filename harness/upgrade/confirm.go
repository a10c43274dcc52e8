package upgrade

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/kind"
	"gitlab.com/steamer/steamer/harness/target/outage"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/harness/wait"
)

// Confirmer confirms edges on a cluster, each on what the one before has left where that fits.
type Confirmer struct {
	// Open installs what spec says on an empty database, and provisions the tenants.
	Open func(ctx context.Context, spec topology.Spec) (*kind.Target, error)
	// Close removes a target that Open made.
	Close func(ctx context.Context, t *kind.Target) error
	// Spec is what an end of an edge installs.
	Spec func(stop Stop) topology.Spec
	// Note shows a line of progress.
	Note func(line string)

	target *kind.Target
	at     string // name of the stop that the target is at
}

// Confirm upgrades along an edge, and adds to its outcome what was seen. The error is of the
// environment, or ctx's own; a fault of the chart is in the outcome.
func (c *Confirmer) Confirm(ctx context.Context, e Edge, o *Outcome) error {
	if err := c.arrive(ctx, e.From); err != nil {
		if errors.As(err, &target.UnfitError{}) {
			o.fail("%s was not installed: %v", e.From.Name, err)
			return c.Leave(ctx)
		}
		return err
	}
	wrote := c.target.Info().Versions["openbao"]
	if older(tag(e.To.Image), wrote) {
		return olderImage(e, wrote, "nothing was changed", e.To.Image)
	}
	var err error
	o.Confirmed, err = c.move(ctx, o, e.change(),
		func(ctx context.Context) error { return c.target.Become(ctx, c.Spec(e.To)) })
	c.at = e.To.Name
	back := false
	if err == nil && o.Confirmed != nil {
		back, err = reached(e, wrote, c.target.Info().Versions["openbao"], o)
	}
	if back {
		o.RolledBack, err = c.move(ctx, o, judge.OutageRollback,
			func(ctx context.Context) error { return c.target.Back(ctx, c.Spec(e.From)) })
		c.at = e.From.Name
	}
	if err != nil || len(o.Reasons) > 0 { // what follows begins with a sound installation
		return errors.Join(err, c.Leave(ctx))
	}
	return nil
}

// reached compares the OpenBao that answers after an upgrade with the one that wrote the data. It
// reports whether the edge is to be rolled back: never to an OpenBao older than what has written
// by then.
func reached(e Edge, wrote, now string, o *Outcome) (back bool, err error) {
	switch {
	case older(now, wrote):
		o.doubt("image %s runs OpenBao %s, which is older than the data", e.To.Image, now)
		return false, olderImage(e, wrote, "it ran on the database of this test alone",
			fmt.Sprintf("%s (OpenBao %s)", e.To.Image, now))
	case e.Back && older(wrote, now):
		o.NotRolledBack = fmt.Sprintf("OpenBao does not promise that %s reads what %s wrote", wrote, now)
		return false, nil
	}
	return e.Back, nil
}

// olderImage says that an image cannot follow the one that wrote the data. The error is of code
// exit.Environment.
func olderImage(e Edge, wrote, touched, image string) error {
	return exit.Environmentf("upgrade "+e.String(), "name an image of version "+wrote+" or later; "+touched,
		"image %s is older than the data, which OpenBao %s wrote", image, wrote)
}

// arrive has the target at a stop: it is there already, or is installed.
func (c *Confirmer) arrive(ctx context.Context, stop Stop) (err error) {
	if c.target != nil && c.at == stop.Name {
		return nil
	}
	if err := c.Leave(ctx); err != nil {
		return err
	}
	c.target, err = c.Open(ctx, c.Spec(stop))
	c.at = stop.Name
	return err
}

// Leave removes what is installed.
func (c *Confirmer) Leave(ctx context.Context) error {
	if c.target == nil {
		return nil
	}
	t := c.target
	c.target = nil
	return c.Close(ctx, t)
}

// serveTimeout bounds how long it may take until fetches work after a change; it is far above what
// is published for 10,000 namespaces.
const serveTimeout = 5 * time.Minute

// move makes a change while two clients fetch, and checks what it has kept. A nil Confirmation
// beside no error says that the chart failed, for a reason that is in the outcome.
func (c *Confirmer) move(ctx context.Context, o *Outcome, change string, do func(context.Context) error) (
	*Confirmation, error,
) {
	env, done, err := c.target.Env()
	if err != nil {
		return nil, err
	}
	defer done()
	before, err := secrets(ctx, env)
	if err != nil {
		return nil, err
	}
	watch := outage.Fetches(ctx, env)
	defer func() { watch.Stop() }()
	started := time.Now()
	defer c.tell(change, watch)()
	if err = do(ctx); err == nil {
		_, err = wait.Until(ctx, wait.For{
			What: "fetches work again", Interval: env.Timeouts.Probe, Deadline: serveTimeout,
		}, watch.Working())
		if err != nil && ctx.Err() == nil {
			err = target.UnfitError{Err: err}
		}
	}
	seen := watch.Stop()
	out := &Confirmation{
		Seconds: time.Since(started).Seconds(), Strategy: c.target.Strategy(ctx), Clients: seen.Clients(),
		Machine: seen.Machine,
	}
	if errors.As(err, &target.UnfitError{}) {
		o.fail("%s on the cluster: %v", change, err)
		out.compare(ctx, env, before, o) // a failed upgrade can lose something, too
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, finding := range seen.Findings() {
		o.fail("%s on the cluster: %s", change, finding)
	}
	least := o.Predicted.LeastOutage
	if change == judge.OutageRollback {
		least = 0 // it is of the other direction
	}
	out.judge(env, change, seen, least, o)
	out.compare(ctx, env, before, o)
	out.readBack(ctx, env, o)
	return out, ctx.Err()
}

// noteEvery is how often a change that lasts shows what became of the fetches so far.
const noteEvery = 10 * time.Second

// tell shows how a change goes on until the function that it returns is called.
func (c *Confirmer) tell(change string, watch *outage.Watches) (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(noteEvery)
		defer ticker.Stop()
		for began := time.Now(); ; {
			select {
			case now := <-ticker.C:
				c.Note(fmt.Sprintf("%s for %.0f s, fetches that failed: %d", change, now.Sub(began).Seconds(), watch.Failed()))
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-done }
}

// judge holds the outage against the budget of the change. A machine in trouble excuses a miss,
// unless the least seconds for which the chart itself kept its pods away are over the budget
// alone.
func (c *Confirmation) judge(env *scenario.Env, change string, seen outage.Reports, least float64, o *Outcome) {
	budget, ok := env.Outage(change, c.Strategy)
	if !ok {
		o.doubt("no outage budget for change %s with strategy %q: steamer slo check lists what is missing", change,
			c.Strategy)
		return
	}
	budget = budget.With(outage.Namespaces(env.Tenants))
	c.Budget = &budget
	own := least > budget.Longest && seen.Fresh.Longest.Seconds() >= least
	for _, miss := range seen.Misses(budget) {
		switch {
		case own:
			o.fail("%s; by the chart's own probes no fetch can work for %.0f s", miss, least)
		case seen.Machine != "":
			o.doubt("%s, while %s", miss, seen.Machine)
		default:
			o.fail("%s", miss)
		}
	}
}

// compare checks that every key of every Secret of before still has its value, unless the chart's
// templates or values set another one.
func (c *Confirmation) compare(ctx context.Context, env *scenario.Env, before map[[2]string]string, o *Outcome) {
	after, err := secrets(ctx, env)
	if err != nil {
		o.doubt("the Secrets were not read after the change: %v", err)
		return
	}
	c.Keys = len(before)
	order := func(a, b [2]string) int { return strings.Compare(a[0]+"/"+a[1], b[0]+"/"+b[1]) }
	for _, key := range slices.SortedFunc(maps.Keys(before), order) {
		now, there := after[key]
		switch {
		case !there:
			o.fail("on the cluster: key %s of Secret %s is gone", key[1], key[0])
		case now != before[key] && !o.Predicted.has(ruleSecretValue, "Secret/"+key[0]):
			o.fail("on the cluster: key %s of Secret %s has another value", key[1], key[0])
		case now == before[key]:
			c.Kept++
		}
	}
}

// readBack fetches every secret of every tenant, and checks its value.
func (c *Confirmation) readBack(ctx context.Context, env *scenario.Env, o *Outcome) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	right := make([]int, len(env.Tenants))
	for i, tenant := range env.Tenants {
		c.Secrets += len(tenant.Secrets)
		group.Go(func() error {
			for _, secret := range tenant.Secrets {
				if err := env.Check(ctx, tenant, secret); err != nil {
					return err
				}
				right[i]++
			}
			return nil
		})
	}
	err := group.Wait()
	for _, n := range right {
		c.Read += n
	}
	if err != nil && ctx.Err() == nil || err != nil && !errors.Is(err, context.Canceled) {
		o.fail("on the cluster: after the change a secret was not read back: %v", err)
	}
}

// records begin the names of the Secrets in which Helm keeps its releases.
const records = "sh.helm.release.v1."

// secrets are digests of what the Secrets of the release's namespace hold, by Secret and key.
func secrets(ctx context.Context, env *scenario.Env) (map[[2]string]string, error) {
	list, err := env.Kube.CoreV1().Secrets(env.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("secrets in %s: %w", env.Namespace, err)
	}
	out := map[[2]string]string{}
	for _, s := range list.Items {
		if strings.HasPrefix(s.Name, records) {
			continue
		}
		for key, value := range s.Data {
			sum := sha256.Sum256(value)
			out[[2]string{s.Name, key}] = string(sum[:])
		}
	}
	return out, nil
}
