package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Found is a kind cluster on this engine.
type Found struct {
	Name    string
	Owned   bool // carries Steamer's mark
	Owner   Owner
	Expired bool
}

// List returns all kind clusters of the engine, ours and others'.
func (k *Kind) List(ctx context.Context) ([]Found, error) {
	names, err := k.provider.List()
	if err != nil {
		return nil, exit.Environmentf("kind", "steamer doctor", "%w", err)
	}
	var found []Found
	for _, name := range names {
		f := Found{Name: name}
		if f.Owned, err = k.owned(ctx, name); err != nil {
			return nil, err
		}
		if f.Owned {
			// A mark that cannot be read has no time left to claim: its cluster counts as expired.
			f.Owner, err = k.registry.read(k.registry.mark(name))
			f.Expired = err != nil || f.Owner.Expired(time.Now())
		}
		found = append(found, f)
	}
	return found, nil
}

// owned reports whether every node container of a cluster has the owner mark mounted. A cluster without
// containers is owned if the registry knows it: its creation was cut short.
func (k *Kind) owned(ctx context.Context, name string) (bool, error) {
	out, err := k.engine.Run(ctx, "ps", "--all", "--quiet", "--filter", "label=io.x-k8s.kind.cluster="+name)
	if err != nil {
		return false, exit.Environmentf("cluster "+name, "steamer doctor", "%w", err)
	}
	containers := strings.Fields(out)
	for _, id := range containers {
		mounts, err := k.engine.Run(ctx, "inspect", "--format", "{{json .Mounts}}", id)
		if err != nil {
			return false, exit.Environmentf("cluster "+name, "", "%w", err)
		}
		var list []struct{ Destination string }
		if err := json.Unmarshal([]byte(mounts), &list); err != nil {
			return false, err
		}
		marked := false
		for _, mount := range list {
			marked = marked || mount.Destination == ownerPath
		}
		if !marked {
			return false, nil
		}
	}
	if len(containers) == 0 {
		_, err := k.registry.read(k.registry.mark(name))
		return err == nil, nil
	}
	return true, nil
}

// Open connects to a running cluster of ours.
func (k *Kind) Open(ctx context.Context, name string) (*Cluster, error) {
	owned, err := k.owned(ctx, name)
	if err != nil {
		return nil, err
	}
	if !owned {
		return nil, exit.Invalidf("cluster "+name, "steamer cluster list shows Steamer's clusters", "it does not exist or is not Steamer's")
	}
	owner, err := k.registry.read(k.registry.mark(name))
	if err != nil {
		return nil, exit.Environmentf("cluster "+name, "steamer cluster gc", "its owner mark cannot be read: %w", err)
	}
	c := &Cluster{Name: name, Kubeconfig: k.registry.kubeconfig(name), HostPort: owner.HostPort, SecondPort: owner.SecondPort, Owned: true, engine: k.engine}
	return c, c.connect("")
}

// GC removes our clusters that have expired, or all of ours, and returns their names. With all, marks that no cluster of this engine
// belongs to go as well: what they were for is gone with the engine's data.
func (k *Kind) GC(ctx context.Context, all bool) ([]string, error) {
	found, err := k.List(ctx)
	if err != nil {
		return nil, err
	}
	marked, err := Marked(k.registry.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range marked {
		if !slices.ContainsFunc(found, func(f Found) bool { return f.Name == name }) {
			found = append(found, Found{Name: name, Owned: all})
		}
	}
	var removed []string
	var failures []error
	for _, f := range found {
		if !f.Owned || !(f.Expired || all) {
			continue
		}
		if err := k.Delete(ctx, f.Name); err != nil {
			failures = append(failures, err)
			continue
		}
		removed = append(removed, f.Name)
	}
	return removed, errors.Join(failures...)
}
