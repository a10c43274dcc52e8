package session

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/platform"
)

// Up makes a cluster and prints how it is reached. The options lack what the session knows.
func (s *Session) Up(ctx context.Context, o cluster.Options) error {
	b, err := s.Builder()
	if err != nil {
		return err
	}
	elsewhere, err := s.Elsewhere(ctx)
	if err != nil {
		return err
	}
	if elsewhere {
		if _, err := b.Ensure(ctx, images.Node); err != nil {
			return err
		}
		return s.Again(ctx)
	}
	k, e, err := s.KindOn(ctx, true)
	if err != nil {
		return err
	}
	o.Config, o.ImageDir = filepath.Join(b.Root, "kind-config.yaml"), filepath.Join(b.Cache, "images")
	if err := k.Check(ctx, o); err != nil {
		return err
	}
	list, err := b.Ensure(ctx, images.Node)
	if err != nil {
		return err
	}
	o.Node = &list[0]
	started := time.Now()
	made, err := k.Up(ctx, o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Stdout, "cluster %s is ready after %.1f s, port %d\n%s\n",
		made.Name, time.Since(started).Seconds(), made.HostPort, platform.WayIn(e, made))
	return err
}

// Remains says what to remove of what runs left on a cluster that is not Steamer's.
type Remains struct {
	Context, Kubeconfig string // of the cluster
	Run                 string // ID of the run whose namespaces are removed, whoever made them; empty for one's own
	DryRun              bool   // list them, and stop
}

// Remove removes the namespaces of runs, and prints what becomes of each.
func (g Remains) Remove(ctx context.Context, s *Session) error {
	on, err := cluster.Connect(g.Kubeconfig, g.Context)
	if err != nil {
		return err
	}
	found, err := on.Remains(ctx, g.Run)
	if err != nil {
		return err
	}
	removed := 0
	var failures []error
	for _, r := range found {
		what := "stays: " + r.Why
		if r.Ours {
			what = "is to be removed"
		}
		fmt.Fprintf(s.Stdout, "namespace %s of run %s %s\n", r.Namespace, r.Run, what)
		if !r.Ours || g.DryRun {
			continue
		}
		if err := on.RemoveRemains(ctx, r); err != nil {
			failures = append(failures, err)
			continue
		}
		removed++
	}
	_, err = fmt.Fprintf(s.Stdout, "removed %d of %d namespaces of runs\n", removed, len(found))
	return errors.Join(append(failures, err)...)
}
