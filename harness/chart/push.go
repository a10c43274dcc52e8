package chart

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/registry"
	"oras.land/oras-go/v2/errdef"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Target is a place for one version of a chart in a registry.
type Target struct {
	archive Archive
	ref     string // REGISTRY/PATH/NAME:VERSION
}

// NewTarget names where an archive goes: registry is oci://HOST/PATH, the chart's name and version
// follow. The archive is read from file when it is pushed. The error is of code exit.Invalid.
func NewTarget(oci, file string, archive Archive) (Target, error) {
	base := strings.TrimSuffix(oci, "/")
	hint := "use oci://REGISTRY/PATH, without the chart's name"
	if !registry.IsOCI(base) {
		return Target{}, exit.Invalidf("registry", hint, "it does not start with oci://")
	}
	if strings.Contains(base, "@") {
		return Target{}, exit.Invalidf("registry", "helm registry login stores credentials where Steamer reads them",
			"credentials do not belong in a URL")
	}
	ref, err := Source{Name: base + "/" + archive.Name, Version: archive.Version}.reference()
	if err != nil {
		return Target{}, exit.Invalidf("registry "+oci, hint, "%w", err)
	}
	archive.Path = file
	return Target{archive: archive, ref: ref}, nil
}

// String is the reference that users pull.
func (t Target) String() string { return registry.OCIScheme + "://" + t.ref }

// Pushed reports whether the registry has this version already. One with another archive is an
// exit.Invalid error: a version that is out never changes.
func (t Target) Pushed(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, PullTimeout)
	defer cancel()
	client, err := registryClient(ctx, t.ref)
	if err != nil {
		return false, err
	}
	there, err := client.Pull(t.ref)
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return false, nil
	case err != nil:
		return false, t.unreachable(err)
	case there.Chart.Digest != t.archive.Digest:
		return false, exit.Invalidf("version "+t.archive.Version+" of chart "+t.archive.Name,
			"raise version in its Chart.yaml",
			"%s is released already, with the archive %s; this tree makes %s", t, there.Chart.Digest, t.archive.Digest)
	}
	return true, nil
}

// Push uploads the archive, with its provenance file where there is one, pulls it back and
// compares. It returns the manifest's digest. at is the time in the manifest: a fixed one makes
// pushing repeatable.
func (t Target) Push(ctx context.Context, at time.Time) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, PullTimeout)
	defer cancel()
	client, err := registryClient(ctx, t.ref)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(t.archive.Path)
	if err != nil {
		return "", err
	}
	options := []registry.PushOption{
		registry.PushOptCreationTime(at.UTC().Format(time.RFC3339)),
		registry.PushOptStrictMode(false),
	}
	prov, err := os.ReadFile(t.archive.Path + ".prov")
	if err == nil {
		options = append(options, registry.PushOptProvData(prov))
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	pushed, err := client.Push(data, t.ref, options...)
	if err != nil {
		return "", t.unreachable(err)
	}
	back, err := client.Pull(t.ref)
	if err != nil {
		return "", t.unreachable(err)
	}
	if back.Manifest.Digest != pushed.Manifest.Digest || sum(back.Chart.Data) != t.archive.Digest {
		return "", exit.Environmentf("registry of "+t.String(), "do not announce this release; check the registry",
			"what comes back is not what was pushed: archive %s, manifest %s", sum(back.Chart.Data), back.Manifest.Digest)
	}
	return pushed.Manifest.Digest, nil
}

func (t Target) unreachable(err error) error {
	host, _, _ := strings.Cut(t.ref, "/")
	return exit.Environmentf(t.String(), "check the address; helm registry login "+host+
		" stores credentials where Steamer reads them", "%w", err)
}
