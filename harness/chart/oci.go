package chart

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/cli"
	"helm.sh/helm/v3/pkg/registry"

	"gitlab.com/steamer/steamer/harness/exit"
)

// registryClient talks to the registry of a reference until ctx ends, with the credentials that
// Helm and Docker keep for it.
func registryClient(ctx context.Context, reference string) (*registry.Client, error) {
	host, _, _ := strings.Cut(reference, "/")
	options := []registry.ClientOption{
		registry.ClientOptHTTPClient(&http.Client{Transport: transport(ctx, nil)}),
		registry.ClientOptCredentialsFile(cli.New().RegistryConfig),
	}
	if loopback(host) {
		options = append(options, registry.ClientOptPlainHTTP())
	}
	client, err := registry.NewClient(options...)
	if err != nil {
		return nil, exit.Invalidf("registry "+host, "look at helm's registry configuration, which helm env names", "%w", err)
	}
	return client, nil
}

// pullOCI pulls a chart by tag or digest. The registry client checks every part against the digest
// in the manifest.
func pullOCI(ctx context.Context, source Source) (PulledChart, error) {
	reference, err := source.reference()
	if err != nil {
		return PulledChart{}, err
	}
	client, err := registryClient(ctx, reference)
	if err != nil {
		return PulledChart{}, err
	}
	repository, _, byDigest := strings.Cut(reference, "@")
	if !byDigest && source.wanted() == "" {
		return PulledChart{}, exit.Invalidf("chart "+source.String(), versionHint(tags(client, repository)),
			"it names neither a version nor a digest")
	}
	pulled, err := client.Pull(reference)
	if err != nil {
		host, _, _ := strings.Cut(reference, "/")
		hint := "look at the address; helm registry login " + host + " keeps credentials where Steamer looks"
		if !byDigest {
			repository = strings.TrimSuffix(reference, reference[strings.LastIndex(reference, ":"):])
			if known := tags(client, repository); len(known) > 0 {
				hint = versionHint(known)
			}
		}
		return PulledChart{}, exit.Invalidf("chart "+source.String(), hint, "it cannot be pulled: %w", err)
	}
	return PulledChart{Archive: pulled.Chart.Data, Stated: pulled.Chart.Digest, Manifest: pulled.Manifest.Digest}, nil
}

// tags are the versions that a registry has of a chart, newest first; nil where it does not say.
func tags(client *registry.Client, repository string) []string {
	known, err := client.Tags(repository)
	if err != nil {
		return nil
	}
	return known
}

// versionHint tells which versions there are.
func versionHint(known []string) string {
	const shown = 5
	switch {
	case len(known) == 0:
		return "name one with --version"
	case len(known) > shown:
		return "choose one with --version; the newest are " + strings.Join(known[:shown], ", ")
	default:
		return "choose one with --version: there are " + strings.Join(known, ", ")
	}
}

// unpack checks a pulled archive against the digest that was stated for it, empty for none, and
// against the name and version asked for.
func unpack(source Source, pulled PulledChart) (*Chart, error) {
	data, stated := pulled.Archive, pulled.Stated
	input, archive := "chart "+source.String(), sum(data)
	if stated != "" && stated != archive {
		return nil, exit.Invalidf(input, "do not use it; tell who runs the repository",
			"its archive has the digest %s, but %s was stated", archive, stated)
	}
	loaded, err := loader.LoadArchive(bytes.NewReader(data))
	if err != nil {
		return nil, exit.Invalidf(input, "helm pull shows the same error", "its archive is broken: %w", err)
	}
	c, err := newChart(loaded, source.String())
	if err != nil {
		return nil, err
	}
	if wanted := source.wanted(); wanted != "" && loaded.Metadata.Version != wanted {
		return nil, exit.Invalidf(input, "tell who runs the repository, or name the version that it is",
			"its Chart.yaml says version %s", loaded.Metadata.Version)
	}
	c.archive, c.manifest = archive, pulled.Manifest
	return c, nil
}
