package compare

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/cpulimit"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/localbao"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// LocalArm is an OpenBao with a PostgreSQL of its own, both processes on loopback:
// two configurations, or two programs, compared without a cluster.
type LocalArm struct {
	Generator
	Description string
	Binary      string // OpenBao; "" takes what localbao takes
	Patch       []byte // JSON Patch of the server's configuration; nil for none
	Tenants     int    // to provision
	Secrets     int    // of each
	Recipe      string // by which they are provisioned; "" takes all in turn
	BatchTokens bool   // see Design
	Proxied     bool   // drive through a proxy, so that SetDelay may be called
	Grouped     bool   // run OpenBao in a control group of its own, so that SetCPUs may be called

	driver
	server  *localbao.Server
	version string
	group   *cpulimit.Group
}

// Prepare starts the processes and provisions the tenants.
func (l *LocalArm) Prepare(ctx context.Context) error {
	options := localbao.Options{Binary: l.Binary, Patch: l.Patch}
	if l.Grouped {
		var err error
		if l.group, err = cpulimit.New(0); err != nil {
			return err
		}
		options.Started = l.group.Add
	}
	server, err := localbao.Start(ctx, options)
	if err != nil && exit.CodeOf(err) == exit.Internal && ctx.Err() == nil {
		return UnfitError{err} // neither the program nor PostgreSQL is missing: it is this configuration that does not start
	}
	if err != nil {
		return err
	}
	l.server = server
	issuer, err := gitlab.NewIssuer(server.Issuer, gitlab.RS256)
	if err != nil {
		return err
	}
	jwks, err := issuer.JWKS()
	if err != nil {
		return err
	}
	server.Publish(jwks)
	client := openbao.New(server.Address, nil)
	defer client.Close()
	l.driver = driver{
		Generator: l.Generator, address: server.Address, audience: server.Audience, seed: rand.Text(),
		issuer: issuer,
	}
	if l.tenants, err = provision(ctx, client, &l.driver, l.Tenants, l.Secrets, l.Recipe, l.BatchTokens); err != nil {
		return UnfitError{err}
	}
	if l.Proxied {
		if err := l.SetDelay(0); err != nil {
			return err
		}
	}
	health, err := client.Health(ctx)
	l.version = health.Version
	return err
}

// SetCPUs limits OpenBao from now on to some cores, 0 for no limit; the arm has to be Grouped.
func (l *LocalArm) SetCPUs(cores float64) error {
	if l.group == nil {
		return errors.New("the arm has no control group of its own")
	}
	return l.group.Set(cores)
}

// provision seeds tenants the way Rails does and fetches every secret once.
func provision(ctx context.Context, client *openbao.Client, d *driver, tenants, secrets int, recipe string,
	batch bool,
) ([]gitlab.Tenant, error) {
	recipes, err := recipesOf(recipe, batch)
	if err != nil {
		return nil, err
	}
	plan, err := gitlab.Plan(recipes, tenants, secrets)
	if err != nil {
		return nil, err
	}
	seeder := &gitlab.Seeder{Client: client, Issuer: d.issuer, Audience: d.audience, Seed: d.seed, Recipes: recipes}
	_, err = seeder.Run(ctx, plan)
	return plan, err
}

// recipesOf is the recipe of an ID, or all for "", with or without batch tokens.
func recipesOf(id string, batch bool) ([]*gitlab.Recipe, error) {
	list, err := gitlab.Recipes()
	if err != nil {
		return nil, err
	}
	if id != "" {
		var known []string
		for _, r := range list {
			known = append(known, r.ID)
		}
		i := slices.Index(known, id)
		if i < 0 {
			return nil, exit.Invalidf("--recipe "+id, "use one of "+strings.Join(known, ", ")+", or none for all in turn",
				"there is no such recipe")
		}
		list = list[i : i+1]
	}
	for _, r := range list {
		if batch && !r.SetTokens("batch", 0) {
			return nil, exit.Invalidf("--batch-tokens", "add --recipe two-level-jwt",
				"recipe %s has no role that says what tokens it gives", r.ID)
		}
	}
	return list, nil
}

// Subject says what runs.
func (l *LocalArm) Subject() Subject {
	s := Subject{Description: l.Description, Versions: map[string]string{"openbao": l.version}, Delay: l.delayed()}
	if l.group != nil {
		s.CPUs = l.group.Cores()
	}
	if l.Patch != nil {
		s.Config = digest(l.Patch)
	}
	return s
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// cutAudit empties the audit log, which grows by several hundred MB in a comparison and which
// nobody reads. OpenBao appends, so it may be cut.
func (l *LocalArm) cutAudit() error {
	if err := os.Truncate(l.server.AuditLog(), 0); err != nil &&
		!errors.Is(err, fs.ErrNotExist) { // the patch may have moved it
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// Drive runs k6 against the server while it is observed.
func (l *LocalArm) Drive(ctx context.Context, name string, p load.Profile, rate float64) (Measurement, error) {
	if err := l.cutAudit(); err != nil {
		return Measurement{}, err
	}
	openbao, postgres := l.server.PIDs()
	watch := watchProcesses(openbao, postgres, sampleEvery)
	measured, err := l.drive(ctx, name, p, rate)
	resources, events := watch.stop()
	return Measurement{Load: measured, Resources: resources, Events: events}, err
}

// Close stops the processes and removes their directories.
func (l *LocalArm) Close(context.Context) error {
	l.closeProxy()
	if l.server != nil {
		l.server.Stop()
		l.server = nil
	}
	if l.group != nil {
		l.group.Remove()
		l.group = nil
	}
	return nil
}
