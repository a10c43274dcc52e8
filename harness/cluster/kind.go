package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kind "sigs.k8s.io/kind/pkg/cluster"
	kinderrors "sigs.k8s.io/kind/pkg/errors"
	kindexec "sigs.k8s.io/kind/pkg/exec"

	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
)

// deleteTimeout bounds the removal of a cluster, which has to work while everything else is being
// cancelled.
const deleteTimeout = 2 * time.Minute

// Kind manages kind clusters on one engine, for one owner. kind runs the engine's client with this
// process's environment, so NewKind sets DOCKER_HOST there.
type Kind struct {
	docker   *engine.Engine
	engine   runner // docker, but in tests
	private  bool
	provider creator
	registry registry
	me       Identity
	system   system
	pid      int
	now      func() time.Time
	log      func(string)
}

// runner is what ownership needs of an engine.
type runner interface {
	Run(ctx context.Context, args ...string) (string, error)
}

// creator is what is needed of kind.
type creator interface {
	Create(name string, options ...kind.CreateOption) error
}

// NewKind returns a manager that keeps mark files and kubeconfigs in the cache of its owner, whose
// are the clusters that it makes.
func NewKind(e *engine.Engine, me Identity, log func(string)) (*Kind, error) {
	for _, variable := range e.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	option := kind.ProviderWithDocker()
	if e.Binary == "podman" {
		option = kind.ProviderWithPodman()
	}
	provider := kind.NewProvider(option, kind.ProviderWithLogger(newLogger(log)))
	if log == nil {
		log = func(string) {}
	}
	return &Kind{
		docker: e, engine: e, private: e.Private, provider: provider, registry: newRegistry(me), me: me,
		system: realSystem, pid: os.Getpid(), now: time.Now, log: log,
	}, nil
}

// Options describes a cluster to make.
type Options struct {
	Name     string        // empty: chosen, see Identity.DefaultName
	Run      string        // ID of the run, for the owner mark
	Config   string        // path of the kind configuration
	Node     *images.Image // node image that Steamer built; nil for kind's own
	ImageDir string        // directory of image archives, mounted read-only in the nodes; optional
	// Images are imported into every node while the cluster becomes Ready; each needs an archive
	// in ImageDir.
	Images     []images.Image
	HostPort   int  // loopback port for NodePort; 0: a free one is chosen
	Second     bool // map SecondNodePort, too
	SecondPort int  // its loopback port; 0: a free one is chosen
	Shards     int  // map as many ports from FirstShardNodePort on
	shardPort  int  // the first of their loopback ports, which are chosen
	TTL        time.Duration
	Keep       bool
}

// Check validates the options without any side effect: the name and the ports that they name are
// free, the configuration parses. It returns exit.Invalid errors.
func (k *Kind) Check(ctx context.Context, opts Options) error {
	if err := opts.check(); err != nil {
		return err
	}
	if opts.Name != "" {
		found, err := k.named(ctx, opts.Name)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return found[0].taken()
		}
	}
	return opts.portsFree()
}

// taken says that a cluster's name is not free.
func (f Found) taken() error {
	if f.Whose == Mine && f.Life != Alive {
		hint := "use it with --reuse, remove it with steamer cluster down --name " + f.Name +
			", or choose another --cluster NAME"
		return exit.Invalidf("cluster "+f.Name, hint, "a cluster of this name exists (run %s)", f.Owner.Run)
	}
	const another = "choose another --cluster NAME, or none to have a free one chosen"
	return exit.Invalidf("cluster "+f.Name, another, "a cluster of this name exists: %s", f.claim())
}

// CheckInput validates what needs no engine: the name, the configuration and that the ports are
// free, unless a mark of a cluster of this name is in the cache, which may hold them. It returns
// exit.Invalid errors.
func CheckInput(me Identity, opts Options) error {
	if err := opts.check(); err != nil {
		return err
	}
	marks, err := newRegistry(me).marks(me)
	if err != nil || opts.Name != "" && slices.ContainsFunc(marks, func(o Owner) bool { return o.Name == opts.Name }) {
		return err
	}
	return opts.portsFree()
}

func (opts Options) check() error {
	if opts.Name != "" {
		if err := checkName(opts.Name); err != nil {
			return err
		}
	}
	_, err := opts.config("")
	return err
}

// upTries is how often a cluster is begun where others take the name or the ports that were chosen
// for it, or this process is slower than them.
const upTries = 5

// Up makes a cluster and waits until its nodes are Ready and DNS answers. A name or port that the
// options leave open is chosen, and chosen again if another takes it meanwhile. On an error, and
// when ctx is cancelled, nothing of it is left.
func (k *Kind) Up(ctx context.Context, opts Options) (*Cluster, error) {
	if err := k.Check(ctx, opts); err != nil {
		return nil, err
	}
	var avoid []int
	for try := 1; ; try++ {
		found, err := k.List(ctx)
		if err != nil {
			return nil, err
		}
		chosen, err := k.choose(opts, found, avoid...)
		if err != nil {
			return nil, err
		}
		cluster, err := k.make(ctx, chosen)
		if err == nil || ctx.Err() != nil || try == upTries || !opts.outrun(err) {
			return cluster, err
		}
		avoid = append(avoid, chosen.ports()...) // an engine may hold a port that can be bound
		k.log("another took the name or the port that was chosen for cluster " + chosen.Name + ": choosing again")
	}
}

// How engines and kind say that a name or a port is taken.
var (
	nameTaken = regexp.MustCompile(`already exist for a cluster with the name|(?i)container name .* is already in use`)
	portTaken = regexp.MustCompile(`(?i)port is already allocated|address already in use|proxy already running`)
)

// outrun reports whether an error may go with another choice.
func (opts Options) outrun(err error) bool {
	chosenPort := opts.HostPort == 0 || opts.Second && opts.SecondPort == 0 || opts.Shards > 0
	return opts.Name == "" && nameTaken.MatchString(err.Error()) || chosenPort && portTaken.MatchString(err.Error())
}

// make makes a cluster whose name and ports are known.
func (k *Kind) make(ctx context.Context, opts Options) (*Cluster, error) {
	owner := Owner{
		Version: markVersion, Name: opts.Name, Identity: k.me, Process: k.system.process(k.pid), Run: opts.Run,
		Created: k.now().UTC().Truncate(time.Second), TTL: opts.TTL, Keep: opts.Keep, HostPort: opts.HostPort,
		SecondPort: opts.SecondPort, ShardPort: opts.shardPort, Shards: opts.Shards,
	}
	config, err := opts.config(owner.source(k.registry.dir))
	if err != nil {
		return nil, err
	}
	if err := k.registry.write(owner); err != nil {
		return nil, exit.Environmentf("cache "+k.me.Cache, "make it writable", "%w", err)
	}
	k.log(fmt.Sprintf("cluster %s, port %d", opts.Name, opts.HostPort))
	cluster, err := k.up(ctx, config, opts, owner)
	if err != nil {
		if ctx.Err() == nil { // another may have used them up since the check
			err = errors.Join(CheckInotify(), err)
		}
		return nil, errors.Join(err, k.removeMarked(context.WithoutCancel(ctx), owner), k.registry.forget(owner))
	}
	return cluster, nil
}

// removeMarked removes what carries exactly this mark, whatever else has the same name.
func (k *Kind) removeMarked(ctx context.Context, owner Owner) error {
	found, err := k.named(ctx, owner.Name)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Whose == Mine && *f.Owner == owner {
			err = errors.Join(err, k.remove(ctx, f))
		}
	}
	return err
}

func (k *Kind) up(ctx context.Context, config *v1alpha4.Cluster, opts Options, owner Owner) (*Cluster, error) {
	options := []kind.CreateOption{
		kind.CreateWithV1Alpha4Config(config), kind.CreateWithKubeconfigPath(k.registry.kubeconfig(owner)),
		kind.CreateWithDisplayUsage(false), kind.CreateWithDisplaySalutation(false), kind.CreateWithRetain(true),
	}
	if opts.Node != nil {
		if err := k.loadNodeImage(ctx, *opts.Node); err != nil {
			return nil, err
		}
		options = append(options, kind.CreateWithNodeImage(opts.Node.Ref))
	}
	if err := k.create(ctx, owner, options); err != nil {
		return nil, err
	}
	cluster := k.cluster(owner)
	cluster.Created = true
	if err := cluster.connect(""); err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return cluster.Load(ctx, opts.Images...) })
	group.Go(func() error {
		if config.Networking.DisableDefaultCNI {
			if err := cluster.configureCNI(ctx); err != nil {
				return err
			}
		}
		return cluster.awaitReady(ctx)
	})
	return cluster, group.Wait()
}

// create runs kind, which knows no context: on cancellation its nodes are removed under it, which
// ends it.
func (k *Kind) create(ctx context.Context, owner Owner, options []kind.CreateOption) error {
	done := make(chan error, 1)
	go func() { done <- k.provider.Create(owner.Name, options...) }()
	select {
	case err := <-done:
		if err != nil {
			return exit.Environmentf("kind create cluster "+owner.Name, "steamer doctor", "%w", said(err))
		}
		return nil
	case <-ctx.Done():
	}
	// kind may be between two containers: remove until it has returned.
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		_ = k.removeMarked(context.WithoutCancel(ctx), owner) // the caller removes once more and reports
		select {
		case <-done:
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// said is an error of kind with the last words of the program that failed, which kind keeps apart,
// in place of that program's arguments.
func said(err error) error {
	if all := kinderrors.Errors(err); len(all) > 0 { // of several nodes
		for i := range all {
			all[i] = said(all[i])
		}
		return errors.Join(all...)
	}
	failed := kindexec.RunErrorForError(err)
	if failed == nil || len(failed.Command) == 0 {
		return err
	}
	program := strings.Join(failed.Command[:min(2, len(failed.Command))], " ")
	return fmt.Errorf("%s: %w: %s", program, failed.Inner, tail(string(failed.Output)))
}

// loadNodeImage puts a node image that Steamer built into the engine, unless it is there.
func (k *Kind) loadNodeImage(ctx context.Context, image images.Image) error {
	if _, err := k.engine.Run(ctx, "image", "inspect", "--format", "{{.Id}}", image.Ref); err == nil ||
		image.Archive == "" {
		return nil // without an archive, kind pulls it
	}
	k.log("loading the node image into the engine")
	if _, err := k.engine.Run(ctx, "load", "--quiet", "--input", image.Archive); err != nil {
		return exit.Environmentf("node image", "free space for the engine's data; steamer doctor shows how much there is",
			"%w", err)
	}
	return nil
}

// removeNetwork removes kind's network from a private engine once no cluster uses it. On other
// engines it is the user's.
func (k *Kind) removeNetwork(ctx context.Context) error {
	if !k.private {
		return nil
	}
	found, err := k.List(ctx)
	if err != nil || len(found) > 0 {
		return err
	}
	out, err := k.engine.Run(ctx, "network", "ls", "--quiet", "--filter", "name=^kind$")
	if err != nil || strings.TrimSpace(out) == "" {
		return err
	}
	_, err = k.engine.Run(ctx, "network", "rm", "kind")
	return err
}
