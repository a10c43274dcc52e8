package chart

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"helm.sh/helm/v3/pkg/cli"
	"helm.sh/helm/v3/pkg/getter"
	"helm.sh/helm/v3/pkg/registry"
	"helm.sh/helm/v3/pkg/repo"

	"gitlab.com/steamer/steamer/harness/exit"
)

// pullRepo pulls a chart from a Helm repository and checks the archive against the digest in its
// index.
func pullRepo(ctx context.Context, source Source) (PulledChart, error) {
	repository, err := openRepo(ctx, source)
	if err != nil {
		return PulledChart{}, err
	}
	index, err := readIndex(repository)
	if err != nil {
		return PulledChart{}, exit.Invalidf("--repo "+source.Repo,
			"helm repo add shows the same error; credentials come from what it keeps",
			"its index.yaml cannot be had: %w", err)
	}
	entry, err := find(index, source)
	if err != nil {
		return PulledChart{}, err
	}
	stated := entry.Digest
	if stated != "" && !strings.HasPrefix(stated, "sha256:") {
		stated = "sha256:" + stated
	}
	if len(entry.URLs) == 0 {
		return PulledChart{}, exit.Invalidf("chart "+source.String(), "tell who runs the repository",
			"its index names no URL for it")
	}
	address, err := repo.ResolveReferenceURL(source.Repo, entry.URLs[0])
	if err != nil {
		return PulledChart{}, exit.Invalidf("chart "+source.String(), "tell who runs the repository",
			"its URL in the index: %w", err)
	}
	if registry.IsOCI(address) { // some indexes lead to a registry
		pulled, err := pullOCI(ctx, Source{Name: address, Version: entry.Version})
		if stated != "" { // the repository's word counts: the registry's client has checked its own
			pulled.Stated = stated
		}
		return pulled, err
	}
	archive, err := repository.Client.Get(address, getter.WithAcceptHeader("application/gzip,application/octet-stream"))
	if err != nil {
		return PulledChart{}, exit.Invalidf("chart "+source.String(), "helm pull shows the same error",
			"it cannot be pulled: %w", err)
	}
	return PulledChart{Archive: archive.Bytes(), Stated: stated}, nil
}

// openRepo prepares the repository's client with what helm repo add keeps for its URL.
func openRepo(ctx context.Context, source Source) (*repo.ChartRepository, error) {
	entry := &repo.Entry{Name: "steamer", URL: source.Repo}
	file := cli.New().RepositoryConfig
	kept, err := repo.LoadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, exit.Invalidf("helm's repositories in "+file, "helm repo list shows the same error", "%w", err)
	}
	if err == nil {
		for _, known := range kept.Repositories {
			if strings.TrimSuffix(known.URL, "/") == strings.TrimSuffix(source.Repo, "/") {
				entry = known
			}
		}
	}
	config, err := tlsConfig(entry)
	if err != nil {
		return nil, exit.Invalidf("helm's repository "+entry.Name, "helm repo add it again", "%w", err)
	}
	web := getter.Provider{Schemes: []string{"http", "https"}, New: func(options ...getter.Option) (getter.Getter, error) {
		return getter.NewHTTPGetter(append(options, getter.WithTransport(transport(ctx, config)))...)
	}}
	repository, err := repo.NewChartRepository(entry, getter.Providers{web})
	if err != nil {
		return nil, exit.Invalidf("--repo "+source.Repo, "", "%w", err)
	}
	return repository, nil
}

// tlsConfig is what helm repo add keeps of certificates; nil for none.
func tlsConfig(entry *repo.Entry) (*tls.Config, error) {
	if entry.CAFile == "" && entry.CertFile == "" && !entry.InsecureSkipTLSverify {
		return nil, nil
	}
	config := &tls.Config{InsecureSkipVerify: entry.InsecureSkipTLSverify} //nolint:gosec // helm repo add --insecure-skip-tls-verify asked for it
	if entry.CAFile != "" {
		pem, err := os.ReadFile(entry.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", entry.CAFile)
		}
	}
	if entry.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(entry.CertFile, entry.KeyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// readIndex downloads the index. Helm reads one from a file only, which goes again at once.
func readIndex(repository *repo.ChartRepository) (*repo.IndexFile, error) {
	dir, err := os.MkdirTemp("", "steamer-index-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	repository.CachePath = dir
	file, err := repository.DownloadIndexFile()
	if err != nil {
		return nil, err
	}
	return repo.LoadIndexFile(file)
}

// find returns the entry of exactly the version asked for; helm itself would take a range for one.
func find(index *repo.IndexFile, source Source) (*repo.ChartVersion, error) {
	versions, ok := index.Entries[source.Name]
	if !ok {
		return nil, exit.Invalidf("--chart "+source.Name, "helm search repo lists what there is",
			"repository %s has no such chart", source.Repo)
	}
	var known []string
	for _, entry := range versions {
		if entry.Version == source.Version {
			return entry, nil
		}
		known = append(known, entry.Version)
	}
	if source.Version == "" {
		return nil, exit.Invalidf("chart "+source.Name+" of "+source.Repo, versionHint(known), "no version is named")
	}
	return nil, exit.Invalidf("--chart-version "+source.Version, versionHint(known), "chart %s of %s has no such version",
		source.Name, source.Repo)
}
