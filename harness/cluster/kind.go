package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kind "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
)

// DeleteTimeout bounds the removal of a cluster, which has to work while everything else is being cancelled.
const DeleteTimeout = 2 * time.Minute

// Kind manages kind clusters on one engine. kind runs the engine's client with this process's
// environment, so NewKind sets DOCKER_HOST there.
type Kind struct {
	engine   *engine.Engine
	provider *kind.Provider
	registry registry
	log      func(string)
}

// NewKind returns a manager that keeps owner marks and kubeconfigs in dir.
func NewKind(e *engine.Engine, dir string, log func(string)) (*Kind, error) {
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
	return &Kind{engine: e, provider: provider, registry: registry{dir}, log: log}, nil
}

// Options describes a cluster to make.
type Options struct {
	Name     string
	Run      string        // ID of the run, for the owner mark
	Config   string        // path of the kind configuration
	Node     *images.Image // node image that Steamer built; nil for kind's own
	ImageDir string        // directory of image archives, mounted read-only in the nodes; optional
	// Images are imported into every node while the cluster becomes Ready; each needs an archive in ImageDir.
	Images   []images.Image
	HostPort int // loopback port for NodePort
	// SecondPort is the loopback port for SecondNodePort; 0 maps none.
	SecondPort int
	TTL        time.Duration
	Keep       bool
}

// Check validates the options without any side effect: the name is usable and not another's, the
// port is free, the configuration parses. It returns exit.Invalid errors.
func (k *Kind) Check(opts Options) error {
	if err := checkName(opts.Name); err != nil {
		return err
	}
	if _, err := k.registry.config(opts); err != nil {
		return err
	}
	names, err := k.provider.List()
	if err != nil {
		return exit.Environmentf("kind", "steamer doctor", "%w", err)
	}
	if slices.Contains(names, opts.Name) {
		return exit.Invalidf("cluster "+opts.Name, "choose another --cluster NAME, or --reuse if steamer cluster list shows it as Steamer's",
			"a kind cluster of this name exists")
	}
	return opts.portsFree()
}

// portsFree looks whether the host's ports can be had.
func (o Options) portsFree() error {
	if o.SecondPort == 0 {
		return portFree(o.HostPort)
	}
	if o.SecondPort == o.HostPort {
		return exit.Invalidf("port "+strconv.Itoa(o.HostPort), "choose two", "it cannot lead to both systems")
	}
	if err := portFree(o.HostPort); err != nil {
		return err
	}
	return portFree(o.SecondPort)
}

// CheckInput validates what needs no engine: the name, the configuration and that the port is free, unless the owner marks in dir know a
// cluster of this name, which may hold it. It returns exit.Invalid errors.
func CheckInput(dir string, opts Options) error {
	if err := checkName(opts.Name); err != nil {
		return err
	}
	own := registry{dir}
	if _, err := own.config(opts); err != nil {
		return err
	}
	if _, err := own.read(own.mark(opts.Name)); err == nil {
		return nil
	}
	return opts.portsFree()
}

func portFree(port int) error {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return exit.Invalidf("port "+strconv.Itoa(port), "choose another with --port; steamer cluster gc removes clusters that a crashed run left behind", "it cannot be bound on the loopback address: %w", err)
	}
	return listener.Close()
}

// config reads the base configuration and adds what depends on the host.
func (r registry) config(opts Options) (*v1alpha4.Cluster, error) {
	data, err := os.ReadFile(opts.Config)
	if err != nil {
		return nil, exit.Invalidf("kind configuration "+opts.Config, "name a file that can be read", "%w", err)
	}
	config := &v1alpha4.Cluster{}
	if err := yaml.UnmarshalStrict(data, config); err != nil {
		return nil, exit.Invalidf("kind configuration "+opts.Config, "it has to be a kind.x-k8s.io/v1alpha4 Cluster", "%w", err)
	}
	if len(config.Nodes) == 0 {
		config.Nodes = []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole}}
	}
	config.Networking.DisableDefaultCNI = opts.Node != nil && !opts.Node.Pulled // kindnet is part of kind's own node image only
	mapped := false
	for i := range config.Nodes {
		node := &config.Nodes[i]
		mount := func(host, container string) {
			node.ExtraMounts = append(node.ExtraMounts, v1alpha4.Mount{HostPath: host, ContainerPath: container, Readonly: true})
		}
		mount(r.mark(opts.Name), ownerPath)
		if opts.ImageDir != "" {
			mount(opts.ImageDir, imagesPath)
		}
		for j := range node.ExtraPortMappings {
			if node.ExtraPortMappings[j].ContainerPort == NodePort {
				node.ExtraPortMappings[j].HostPort, mapped = int32(opts.HostPort), true
				if opts.SecondPort != 0 { // the same way in, so that neither side of a comparison has a longer one
					second := node.ExtraPortMappings[j]
					second.ContainerPort, second.HostPort = SecondNodePort, int32(opts.SecondPort)
					node.ExtraPortMappings = append(node.ExtraPortMappings, second)
				}
			}
		}
	}
	if !mapped {
		mend := fmt.Sprintf("add an extraPortMappings entry with containerPort: %d", NodePort)
		return nil, exit.Invalidf("kind configuration "+opts.Config, mend, "no node maps the port that leads to OpenBao")
	}
	return config, nil
}

// Up makes a cluster and waits until its nodes are Ready and DNS answers. On an error, and when ctx
// is cancelled, nothing of it is left.
func (k *Kind) Up(ctx context.Context, opts Options) (*Cluster, error) {
	if err := k.Check(opts); err != nil {
		return nil, err
	}
	config, err := k.registry.config(opts)
	if err != nil {
		return nil, err
	}
	process, err := processOf(os.Getpid())
	if err != nil {
		return nil, err
	}
	owner := Owner{
		Name: opts.Name, Run: opts.Run, PID: os.Getpid(), Process: process, Created: time.Now().UTC(), TTL: opts.TTL, HostPort: opts.HostPort,
		SecondPort: opts.SecondPort, Keep: opts.Keep,
	}
	if err := k.registry.write(owner); err != nil {
		return nil, err
	}
	cluster, err := k.up(ctx, config, opts)
	if err != nil {
		return nil, errors.Join(err, k.Delete(context.WithoutCancel(ctx), opts.Name))
	}
	return cluster, nil
}

func (k *Kind) up(ctx context.Context, config *v1alpha4.Cluster, opts Options) (*Cluster, error) {
	options := []kind.CreateOption{
		kind.CreateWithV1Alpha4Config(config), kind.CreateWithKubeconfigPath(k.registry.kubeconfig(opts.Name)),
		kind.CreateWithDisplayUsage(false), kind.CreateWithDisplaySalutation(false), kind.CreateWithRetain(true),
	}
	if opts.Node != nil {
		if err := k.loadNodeImage(ctx, *opts.Node); err != nil {
			return nil, err
		}
		options = append(options, kind.CreateWithNodeImage(opts.Node.Ref))
	}
	if err := k.create(ctx, opts.Name, options); err != nil {
		return nil, err
	}
	cluster := &Cluster{
		Name: opts.Name, Kubeconfig: k.registry.kubeconfig(opts.Name), HostPort: opts.HostPort, SecondPort: opts.SecondPort, Owned: true, Created: true, engine: k.engine,
	}
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

// create runs kind, which knows no context: on cancellation its nodes are deleted under it, which ends it.
func (k *Kind) create(ctx context.Context, name string, options []kind.CreateOption) error {
	done := make(chan error, 1)
	go func() { done <- k.provider.Create(name, options...) }()
	select {
	case err := <-done:
		if err != nil {
			return exit.Environmentf("kind create cluster "+name, "steamer doctor", "%w", err)
		}
		return nil
	case <-ctx.Done():
	}
	// kind may be between two containers: delete until it has returned.
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		_ = k.provider.Delete(name, k.registry.kubeconfig(name)) // the caller deletes once more and reports
		select {
		case <-done:
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// loadNodeImage puts a node image that Steamer built into the engine, unless it is there.
func (k *Kind) loadNodeImage(ctx context.Context, image images.Image) error {
	if _, err := k.engine.Run(ctx, "image", "inspect", "--format", "{{.Id}}", image.Ref); err == nil || image.Archive == "" {
		return nil // without an archive, kind pulls it
	}
	k.log("loading the node image into the engine")
	if _, err := k.engine.Run(ctx, "load", "--quiet", "--input", image.Archive); err != nil {
		return exit.Environmentf("node image", "free space for the engine's data; steamer doctor shows how much there is", "%w", err)
	}
	return nil
}

// Delete removes a cluster that carries Steamer's mark, with its volumes, and forgets it. Removing one that is gone is no error.
func (k *Kind) Delete(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, DeleteTimeout)
	defer cancel()
	owned, err := k.owned(ctx, name)
	if err != nil {
		return err
	}
	if !owned {
		names, err := k.provider.List()
		if err != nil {
			return exit.Environmentf("kind", "steamer doctor", "%w", err)
		}
		if !slices.Contains(names, name) {
			return nil
		}
		return exit.Invalidf("cluster "+name, "kind delete cluster --name "+name+", if it is yours",
			"it does not carry Steamer's owner mark and is left alone")
	}
	if err := k.removeMachines(ctx, name); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- k.provider.Delete(name, k.registry.kubeconfig(name)) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return exit.Environmentf("cluster "+name, "steamer cluster gc", "%w", err)
	}
	if err := k.removeNetwork(ctx); err != nil {
		return err
	}
	return k.registry.forget(name)
}

// MachineLabel marks a container that stands for a machine outside a cluster; its value is the cluster's name.
const MachineLabel = "steamer.gitlab.com/cluster"

// removeMachines removes the machines beside a cluster that a run which crashed left behind.
func (k *Kind) removeMachines(ctx context.Context, name string) error {
	out, err := k.engine.Run(ctx, "ps", "--all", "--quiet", "--filter", "label="+MachineLabel+"="+name)
	if err == nil && strings.TrimSpace(out) != "" {
		_, err = k.engine.Run(ctx, append([]string{"rm", "--force", "--volumes"}, strings.Fields(out)...)...)
	}
	if err != nil {
		return exit.Environmentf("machines of cluster "+name, "steamer doctor", "%w", err)
	}
	return nil
}

// removeNetwork removes kind's network from a private engine once no cluster uses it. On other engines it is the user's.
func (k *Kind) removeNetwork(ctx context.Context) error {
	names, err := k.provider.List()
	if err != nil || len(names) > 0 || !k.engine.Private {
		return err
	}
	out, err := k.engine.Run(ctx, "network", "ls", "--quiet", "--filter", "name=^kind$")
	if err != nil || strings.TrimSpace(out) == "" {
		return err
	}
	_, err = k.engine.Run(ctx, "network", "rm", "kind")
	return err
}

// imagesPath is where nodes see the directory of image archives.
const imagesPath = "/kind/steamer-images"

// Load imports image archives into every node of a kind cluster; on an existing cluster it does nothing,
// because its nodes pull for themselves, as all nodes do for images without an archive.
func (c *Cluster) Load(ctx context.Context, list ...images.Image) error {
	if c.engine == nil {
		return nil
	}
	nodes, err := c.nodeContainers(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		present, err := c.engine.Run(ctx, "exec", node, "ctr", "--namespace", "k8s.io", "images", "list", "--quiet")
		if err != nil {
			return exit.Environmentf("node "+node, "", "%w", err)
		}
		for _, image := range list {
			if image.Archive == "" || slices.Contains(strings.Fields(present), image.Ref) {
				continue
			}
			file := imagesPath + "/" + filepath.Base(image.Archive)
			if _, err := c.engine.Run(ctx, "exec", node, "ctr", "--namespace", "k8s.io", "images", "import", file); err != nil {
				return exit.Environmentf("image "+image.Name+" on node "+node, "steamer images build "+image.Name, "%w", err)
			}
		}
	}
	return nil
}
