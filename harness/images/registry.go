package images

import (
	"context"
	_ "embed" // registry.yaml
	"errors"
	"fmt"
	"net/http"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/exit"
)

//go:embed registry.yaml
var registryYAML []byte

// registryTimeout bounds how long a registry may take to answer before images are built instead. A
// Builder asks each registry once.
const registryTimeout = 3 * time.Second

// pullTimeout bounds the download of one image.
const pullTimeout = 15 * time.Minute

var errNoAnswer = errors.New("does not answer")

// pin is where one image can be pulled from.
type pin struct {
	Reference string `json:"reference"` // REGISTRY/REPOSITORY:TAG@sha256:…, or "kind" for kind's own default
	Version   string `json:"version"`   // of the software inside; by default the tag
	Built     string `json:"built"`     // why there is no reference
}

// pins reads registry.yaml.
func pins() (map[string]pin, error) {
	all := map[string]pin{}
	if err := yaml.UnmarshalStrict(registryYAML, &all); err != nil {
		return nil, fmt.Errorf("registry.yaml: %w", err)
	}
	for n, p := range all {
		if p.Reference == "kind" {
			p.Reference = defaults.Image
			all[n] = p
		}
	}
	return all, nil
}

// digest parses the reference, which has to name a digest: a tag alone can change under a run's
// feet.
func (p pin) digest() (name.Digest, error) {
	ref, err := name.NewDigest(p.Reference)
	if err != nil {
		return name.Digest{}, fmt.Errorf("reference %s: %w", p.Reference, err)
	}
	return ref, nil
}

// Registries asks the registries that images can be pulled from for an answer, and returns the
// first that has none, or nil. It takes at most registryTimeout for each.
func Registries(ctx context.Context) error {
	b := &Builder{}
	all, err := pins()
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Reference == "" {
			continue
		}
		ref, err := p.digest()
		if err != nil {
			return err
		}
		if err := b.answers(ctx, ref.Registry); err != nil {
			return err
		}
	}
	return nil
}

// answers reports whether a registry speaks the registry protocol: GET /v2/ has to give 200 or ask
// for credentials (https://github.com/opencontainers/distribution-spec, "Determining Support").
func (b *Builder) answers(ctx context.Context, registry name.Registry) error {
	b.asking.Lock()
	defer b.asking.Unlock()
	if err, known := b.asked[registry.Name()]; known {
		return err
	}
	client := newTransport()
	defer client.CloseIdleConnections()
	pingCtx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	_, err := transport.Ping(pingCtx, registry, client)
	if ctx.Err() != nil {
		return ctx.Err() // says nothing about the registry
	}
	if err != nil {
		err = fmt.Errorf("registry %s %w: %w", registry.Name(), errNoAnswer, err)
	}
	if b.asked == nil {
		b.asked = map[string]error{}
	}
	b.asked[registry.Name()] = err
	return err
}

// newTransport returns a transport whose connections end with the work that they were opened for.
func newTransport() *http.Transport {
	if standard, ok := remote.DefaultTransport.(*http.Transport); ok {
		return standard.Clone()
	}
	return &http.Transport{Proxy: http.ProxyFromEnvironment}
}

// pull downloads an image of this machine's architecture into the cache. Every byte is checked:
// the index or manifest against the reference's digest, and what it names against the digests in
// it.
func (b *Builder) pull(ctx context.Context, image Image, p pin) error {
	ref, err := p.digest()
	if err != nil {
		return err
	}
	if err := b.answers(ctx, ref.Registry); err != nil {
		return err
	}
	done := b.work("pull " + p.Reference)
	ctx, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	client := newTransport()
	defer client.CloseIdleConnections()
	descriptor, err := remote.Get(ref, remote.WithContext(ctx), remote.WithTransport(client),
		remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
	if err != nil {
		return err
	}
	if descriptor.Digest.String() != ref.DigestStr() {
		return fmt.Errorf("the registry gave %s for %s", descriptor.Digest, p.Reference)
	}
	pulled, err := descriptor.Image()
	if err != nil {
		return err
	}
	if err := save(image, pulled); err != nil {
		return err
	}
	done()
	return nil
}

// Named pulls an image that the user names into the cache, and returns it under a reference that
// leads to nowhere else, made of its digest. What the registry does not have is an error of code
// exit.Environment. A reference by digest that the cache holds takes no network.
func (b *Builder) Named(ctx context.Context, reference string) (Image, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return Image{}, exit.Invalidf("image "+reference, "write it as REGISTRY/REPOSITORY:TAG or "+
			"…@sha256:DIGEST", "%w", err)
	}
	pinned, ok := ref.(name.Digest)
	if !ok {
		client := newTransport()
		defer client.CloseIdleConnections()
		asking, cancel := context.WithTimeout(ctx, pullTimeout)
		defer cancel()
		descriptor, err := remote.Get(ref, remote.WithContext(asking), remote.WithTransport(client),
			remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err != nil {
			return Image{}, namedError(ctx, reference, err)
		}
		pinned = ref.Context().Digest(descriptor.Digest.String())
	}
	short := strings.TrimPrefix(pinned.DigestStr(), "sha256:")[:12]
	image := Image{
		Name: "named", Version: ref.Identifier(), Pulled: true, Upstream: pinned.String(),
		Ref: fmt.Sprintf("%s/named/%s:%s-%s", Repository, path.Base(ref.Context().RepositoryStr()), runtime.GOARCH,
			short),
		Archive: filepath.Join(b.Cache, "images", fmt.Sprintf("named-%s-%s.tar", runtime.GOARCH, short)),
	}
	release, err := b.lock(ctx, "image-named-"+short)
	if err != nil {
		return Image{}, cacheError(ctx, reference, err)
	}
	defer release()
	if !exists(image.Archive) {
		if err := b.pull(ctx, image, pin{Reference: pinned.String()}); err != nil {
			return Image{}, namedError(ctx, reference, err)
		}
	}
	return fill(image)
}

func namedError(ctx context.Context, reference string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return exit.Environmentf("image "+reference,
		"check the reference, the network and the registry's credentials (docker login keeps them where Steamer looks)",
		"it cannot be pulled: %w", err)
}

func pullError(n string, err error) error {
	return exit.Environmentf("image "+n, "check the network and the registry's credentials, or let the image be built: "+
		"image source auto or build", "it cannot be pulled: %w", err)
}
