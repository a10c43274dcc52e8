package chart

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/registry"
	orasregistry "oras.land/oras-go/v2/registry"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Source names a chart: by a path, by its name in a Helm repository, or by an OCI reference.
type Source struct {
	// Name is a directory, an archive (.tgz), oci://REGISTRY/PATH/NAME with or without :VERSION or
	// @sha256:DIGEST, or, with Repo, the chart's name there.
	Name    string
	Repo    string // URL of a Helm repository, http or https; empty for everything else
	Version string // exact version; empty for a path, and where Name holds it
}

// Local reports whether the chart is a file or directory of this machine.
func (s Source) Local() bool { return s.Repo == "" && !registry.IsOCI(s.Name) }

// String names the chart as errors and results do.
func (s Source) String() string {
	switch {
	case s.Repo != "":
		return s.Name + " " + s.Version + " of " + s.Repo
	case s.Version != "" && !s.Local():
		return s.Name + ":" + s.Version
	default:
		return s.Name
	}
}

// Check refuses what no chart could be found by. It looks at nothing but the fields; the error is
// of code exit.Invalid.
func (s Source) Check() error {
	switch {
	case s.Repo != "":
		return s.checkRepo()
	case registry.IsOCI(s.Name):
		_, err := s.reference()
		return err
	case s.Version != "":
		return exit.Invalidf("--chart-version "+s.Version, "leave it out, or name a --repo or an oci:// chart",
			"chart %s is a path, whose version stands in its Chart.yaml", s.Name)
	default:
		return nil
	}
}

func (s Source) checkRepo() error {
	u, err := url.Parse(s.Repo)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		// The URL is not repeated: what cannot be parsed may hold a password.
		return exit.Invalidf("--repo", "name a repository that helm repo add accepts, or --chart oci://REGISTRY/PATH/NAME",
			"not an http or https URL")
	}
	if u.User != nil || u.RawQuery != "" {
		return exit.Invalidf("--repo "+u.Scheme+"://"+u.Host,
			"helm repo add NAME URL --username … keeps them where Steamer looks",
			"credentials do not belong in a URL, which ends in logs and reports")
	}
	if s.Name == "" || strings.ContainsAny(s.Name, "/:@ ") {
		return exit.Invalidf("--chart "+s.Name, "name the chart as helm search repo shows it, without the repository's name",
			"not the name of a chart in repository %s", s.Repo)
	}
	return nil
}

// reference is the OCI reference to pull, HOST/PATH/NAME:TAG or HOST/PATH/NAME@DIGEST; without
// either where only Name is given.
func (s Source) reference() (string, error) {
	hint := "use oci://REGISTRY/PATH/NAME with --chart-version VERSION, :VERSION or @sha256:DIGEST"
	path := strings.TrimPrefix(s.Name, registry.OCIScheme+"://")
	path, digest, byDigest := strings.Cut(path, "@")
	tag := ""
	if i := strings.LastIndex(path, ":"); i > strings.LastIndex(path, "/") {
		path, tag = path[:i], path[i+1:]
	}
	if byDigest && !strings.HasPrefix(digest, "sha256:") { // the input is not repeated: it may be a password
		return "", exit.Invalidf("--chart oci://", hint+"; helm registry login stores credentials where Steamer reads them",
			"the text after @ is not a sha256 digest")
	}
	if tag != "" && s.Version != "" && tag != s.Version {
		return "", exit.Invalidf("--chart-version "+s.Version, "give the version once",
			"chart %s already names version %s", s.Name,
			tag)
	}
	if tag == "" {
		tag = s.Version
	}
	ref := path
	switch {
	case byDigest:
		ref += "@" + digest
	case tag != "":
		ref += ":" + strings.ReplaceAll(tag, "+", "_") // as Helm does: tags have no plus sign
	}
	parsed, err := orasregistry.ParseReference(ref)
	if err == nil && byDigest {
		_, err = parsed.Digest()
	}
	if err != nil {
		return "", exit.Invalidf("--chart "+s.Name, hint, "%w", err)
	}
	return ref, nil
}

// wanted is the version that the chart has to have; empty when only a digest names it.
func (s Source) wanted() string {
	if s.Version != "" {
		return s.Version
	}
	name, _, _ := strings.Cut(s.Name, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		return name[i+1:]
	}
	return ""
}

// PullTimeout bounds the whole download of a chart, index included. Charts are kilobytes: what
// takes longer does not answer.
const PullTimeout = time.Minute

// quietFor is how long a download may take before it is announced.
const quietFor = 2 * time.Second

// Fetcher finds charts wherever they are. Credentials come from where Helm keeps them (helm
// registry login, helm repo add, Docker's configuration) and from nowhere else. What is pulled
// stays in memory: a chart is small, and a cache could serve yesterday's.
type Fetcher struct {
	Log     func(string)  // told when a download takes more than two seconds; nil drops it
	Timeout time.Duration // 0 means PullTimeout
	Pulled  Pulled        // keeps what is pulled, and is asked first; nil keeps nothing
}

// Pulled are charts that a command has pulled, by their sources, for the part of the same command
// that has no network.
type Pulled map[string]PulledChart

// PulledChart is an archive and the digests that go with it.
type PulledChart struct {
	Archive []byte `json:"archive"`
	// digest of the archive that the repository or registry stated; empty where it did not
	Stated   string `json:"stated"`
	Manifest string `json:"manifest"` // of an OCI chart
}

// Load reads or pulls a chart, checks its archive against the digest that the repository or
// registry states, and that it is whole. Errors are of code exit.Invalid, except the context's
// own.
func (f Fetcher) Load(ctx context.Context, source Source) (*Chart, error) {
	if err := source.Check(); err != nil {
		return nil, err
	}
	if source.Local() {
		return Load(source.Name)
	}
	if kept, ok := f.Pulled[source.String()]; ok {
		return unpack(source, kept)
	}
	timeout := f.Timeout
	if timeout == 0 {
		timeout = PullTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if f.Log != nil {
		announce := time.AfterFunc(quietFor, func() {
			f.Log("pulling chart " + source.String() + ", for " + timeout.String() +
				" at most")
		})
		defer announce.Stop()
	}
	pull := pullOCI
	if source.Repo != "" {
		pull = pullRepo
	}
	pulled, err := pull(bounded, source)
	var c *Chart
	if err == nil {
		c, err = unpack(source, pulled)
	}
	switch {
	case err == nil:
		if f.Pulled != nil {
			f.Pulled[source.String()] = pulled
		}
		return c, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(bounded.Err(), context.DeadlineExceeded):
		return nil, exit.Invalidf("chart "+source.String(), "check the address, the network and HTTPS_PROXY",
			"there was no answer within %s", timeout)
	default:
		return nil, err
	}
}
