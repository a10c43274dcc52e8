package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Whose says to whom something on an engine belongs.
type Whose string

// Only what is Mine is ever changed or removed.
const (
	Mine       Whose = "mine"       // its mark names this machine, user, checkout and cache
	Theirs     Whose = "theirs"     // its mark names another owner
	Unmarked   Whose = "unmarked"   // a kind cluster that Steamer did not make
	Unreadable Whose = "unreadable" // it has a mark that this Steamer cannot read
)

// Found is what one owner has on the engine under the name of a cluster: nodes, and machines
// beside them.
type Found struct {
	Name    string `json:"name"`
	Whose   Whose  `json:"whose"`
	Owner   *Owner `json:"owner,omitempty"` // the mark, where it can be read
	Problem string `json:"problem,omitempty"`
	Life    Life   `json:"life,omitempty"` // of those who use it; of others' only who made it can be seen
	Expired bool   `json:"expired"`        // it is mine, and cluster gc removes it
	Nodes   int    `json:"nodes"`          // how many containers are nodes

	containers []string // IDs of all containers
	own        bool     // this process made it
}

// expired reports whether nobody wants a cluster any more: whoever used it is gone, and it was not
// meant to be kept, or not for so long. A live owner's cluster never expires, whatever its time to
// live.
func expired(o Owner, life Life, now time.Time) bool {
	return life == Gone && (!o.Keep || now.After(o.Created.Add(o.TTL)))
}

// container is a node or a machine, as the engine shows it.
type container struct {
	ID     string `json:"Id"`
	Config struct {
		Labels map[string]string
	}
	Mounts []mount
}

// mount is what a container has of its host.
type mount struct{ Source, Destination string }

const kindLabel = "io.x-k8s.kind.cluster"

// Labels of containers that stand for machines outside a cluster.
const (
	machineLabel = "steamer.gitlab.com/cluster" // name of the cluster
	markLabel    = "steamer.gitlab.com/owner"   // the mark
)

// mark is the mark that a container carries; marked is false where it carries none.
func (c container) mark() (o Owner, marked bool, err error) {
	name, node := c.Config.Labels[kindLabel]
	if node {
		i := slices.IndexFunc(c.Mounts, func(m mount) bool { return m.Destination == ownerPath })
		if i < 0 {
			return Owner{}, false, nil
		}
		o, err = parseSource(c.Mounts[i].Source)
	} else {
		name = c.Config.Labels[machineLabel]
		o, err = parseMark(c.Config.Labels[markLabel])
	}
	if err == nil && o.Name != name {
		err = fmt.Errorf("its ownership mark names cluster %s", o.Name)
	}
	return o, true, err
}

// List returns all kind clusters of the engine, and machines beside them, ours and others'.
// Containers of one name that carry different marks are listed apart.
func (k *Kind) List(ctx context.Context) ([]Found, error) {
	containers, err := k.containers(ctx)
	if err != nil {
		return nil, exit.Environmentf("containers of the engine", "steamer doctor", "%w", err)
	}
	var found []Found
	for _, c := range containers {
		f := k.found(c)
		i := slices.IndexFunc(found, func(g Found) bool {
			return f.Name == g.Name && f.Whose == g.Whose && f.Problem == g.Problem && (f.Owner == nil || *f.Owner == *g.Owner)
		})
		if i < 0 {
			found = append(found, f)
			continue
		}
		found[i].Nodes += f.Nodes
		found[i].containers = append(found[i].containers, f.containers...)
	}
	slices.SortStableFunc(found, func(a, b Found) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// found judges one container.
func (k *Kind) found(c container) Found {
	name := cmp.Or(c.Config.Labels[kindLabel], c.Config.Labels[machineLabel])
	f := Found{Name: name, Whose: Unmarked, containers: []string{c.ID}}
	if _, node := c.Config.Labels[kindLabel]; node {
		f.Nodes = 1
	}
	o, marked, err := c.mark()
	switch {
	case err != nil:
		f.Whose, f.Problem = Unreadable, err.Error()
	case marked && !o.same(k.me):
		f.Whose, f.Owner, f.Life = Theirs, &o, Unknown
		if o.Machine == k.me.Machine && o.UID == k.me.UID { // processes of others may be hidden
			f.Life = k.system.life(o.Process)
		}
	case marked:
		f.Whose, f.Owner, f.own = Mine, &o, k.registry.made(o)
		f.Life = k.life(o)
		f.Expired = expired(o, f.Life, k.now())
	}
	return f
}

// life looks for those who use a cluster of mine: who made it, and who holds its mark's lock.
func (k *Kind) life(o Owner) Life {
	process, lock := k.system.life(o.Process), k.registry.life(o)
	switch {
	case process == Alive || lock == Alive:
		return Alive
	case process == Unknown:
		return lock
	default:
		return process
	}
}

// containers asks the engine for all nodes and machines. One that goes between two questions is
// not there.
func (k *Kind) containers(ctx context.Context) ([]container, error) {
	var err error
	for range 5 {
		var ids []string
		for _, label := range []string{kindLabel, machineLabel} {
			out, err := k.engine.Run(ctx, "ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+label)
			if err != nil {
				return nil, err
			}
			ids = append(ids, strings.Fields(out)...)
		}
		if len(ids) == 0 {
			return nil, nil
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		var out string
		if out, err = k.engine.Run(ctx, append([]string{"inspect", "--type", "container"}, ids...)...); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue
		}
		var list []container
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			return nil, fmt.Errorf("inspect: %w", err)
		}
		return list, nil
	}
	return nil, err
}

// GC removes my clusters that have expired, or with all those that nobody uses, and returns their
// names and those of mine that stay because somebody uses them or may use them. With all, marks of
// mine that no cluster of this engine carries are forgotten as well: what they were for is gone
// with the engine's data.
func (k *Kind) GC(ctx context.Context, all bool) (removed, used []string, err error) {
	found, err := k.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	var failures []error
	for _, f := range found {
		switch {
		case f.Whose != Mine:
		case f.Expired || all && f.Life == Gone:
			if err := k.remove(ctx, f); err != nil {
				failures = append(failures, err)
				continue
			}
			removed = append(removed, f.Name)
		case f.Life != Gone:
			used = append(used, f.Name)
		}
	}
	failures = append(failures, k.forgetStray(found, all))
	return removed, used, errors.Join(failures...)
}

// forgetStray forgets marks of mine that nothing carries and nobody uses. A kept cluster may be on
// another engine, so that its mark goes with all only.
func (k *Kind) forgetStray(found []Found, all bool) error {
	marks, err := k.registry.marks(k.me)
	failures := []error{err}
	for _, o := range marks {
		carried := slices.ContainsFunc(found, func(f Found) bool { return f.Owner != nil && *f.Owner == o })
		if !carried && k.life(o) == Gone && (all || !o.Keep) {
			failures = append(failures, k.registry.forget(o))
		}
	}
	return errors.Join(failures...)
}

// Delete removes a cluster of mine with its machines and volumes. Removing one that is gone is no
// error. It refuses what is not mine, and what another process of mine uses, with exit.Invalid
// errors.
func (k *Kind) Delete(ctx context.Context, name string) error {
	found, err := k.named(ctx, name)
	if err != nil {
		return err
	}
	mine := slices.DeleteFunc(slices.Clone(found), func(f Found) bool { return f.Whose != Mine })
	if len(mine) == 0 && len(found) > 0 {
		return found[0].refusal("it is left alone")
	}
	for _, f := range mine {
		if f.Life == Alive && !f.own {
			return f.refusal("it is left alone")
		}
	}
	for _, f := range mine {
		if err := k.remove(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// DeleteMade is Delete for what this process made, and nothing else.
func (k *Kind) DeleteMade(ctx context.Context, name string) error {
	found, err := k.named(ctx, name)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Whose == Mine && f.own {
			err = errors.Join(err, k.remove(ctx, f))
		}
	}
	return err
}

func (k *Kind) named(ctx context.Context, name string) ([]Found, error) {
	found, err := k.List(ctx)
	return slices.DeleteFunc(found, func(f Found) bool { return f.Name != name }), err
}

const askList = "steamer cluster list shows the clusters and whose they are"

// refusal says why a cluster that is there cannot be had.
func (f Found) refusal(so string) error {
	hint := askList
	if f.Whose == Mine {
		hint = "wait until that run ends, or interrupt it"
	}
	return exit.Invalidf("cluster "+f.Name, hint, "%s, and %s", f.claim(), so)
}

// claim says in a sentence who may have a cluster.
func (f Found) claim() string {
	switch f.Whose {
	case Unmarked:
		return "Steamer did not make it"
	case Unreadable:
		return f.Problem + ": it may be anybody's"
	case Theirs:
		return "it belongs to " + f.Owner.Identity.String()
	default:
		return fmt.Sprintf("another process of yours uses it (made by run %s, process %d)", f.Owner.Run, f.Owner.PID)
	}
}

// Open connects to a running cluster of mine that no other process uses.
func (k *Kind) Open(ctx context.Context, name string) (*Cluster, error) {
	found, err := k.named(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if err := f.reusable(); err != nil {
			return nil, err
		}
	}
	i := slices.IndexFunc(found, func(f Found) bool { return f.Nodes > 0 })
	if i < 0 {
		return nil, exit.Invalidf("cluster "+name, askList, "it does not exist")
	}
	o := *found[i].Owner
	if err := k.registry.use(o); err != nil {
		return nil, err
	}
	c := k.cluster(o)
	return c, c.connect("")
}

// Reusable returns the name of the cluster that a run with these options may use instead of making
// one, "" where there is none. It has to be mine, with the ports that the options want, and in use
// by no other process. One that is named and cannot be used is an exit.Invalid error; where no
// name is given, mine that others use are passed over.
func (k *Kind) Reusable(ctx context.Context, opts Options) (string, error) {
	found, err := k.List(ctx)
	if err != nil {
		return "", err
	}
	for _, f := range found {
		switch {
		case opts.Name == "" && k.chosen(opts, f) && f.Nodes > 0 && f.reusable() == nil:
			return f.Name, nil
		case opts.Name != "" && opts.Name == f.Name && (f.Nodes > 0 || f.Whose != Mine):
			return f.Name, f.reusable()
		}
	}
	return "", nil
}

// chosen reports whether choose named a cluster for options of this kind.
func (k *Kind) chosen(opts Options, f Found) bool {
	base := k.base(opts)
	number, numbered := strings.CutPrefix(f.Name, base+"-")
	_, err := strconv.Atoi(number)
	return f.Whose == Mine && (f.Name == base || numbered && err == nil)
}

// RemoveAbandoned removes clusters of mine that earlier runs left behind: of the name that the
// options give, or of the names that are chosen. It returns their names.
func (k *Kind) RemoveAbandoned(ctx context.Context, opts Options) ([]string, error) {
	found, err := k.List(ctx)
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, f := range found {
		if !f.Expired || f.Name != opts.Name && (opts.Name != "" || !k.chosen(opts, f)) {
			continue
		}
		if err := k.remove(ctx, f); err != nil {
			return removed, err
		}
		removed = append(removed, f.Name)
	}
	return removed, nil
}

// reusable refuses a cluster that this process may not use.
func (f Found) reusable() error {
	if f.Whose != Mine || f.Life == Alive && !f.own {
		return f.refusal("this run cannot use it")
	}
	return nil
}

func (k *Kind) cluster(o Owner) *Cluster {
	return &Cluster{
		Name: o.Name, Kubeconfig: k.registry.kubeconfig(o), HostPort: o.HostPort, SecondPort: o.SecondPort,
		ShardPort: o.ShardPort, Shards: o.Shards, Owned: true,
		engine: k.docker, mark: o.text(),
	}
}
