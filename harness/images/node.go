package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sync/errgroup"
)

// Versions of what a node image holds. They follow the go.mod files of its modules;
// versions_test.go compares them. Those of etcd and CoreDNS are the ones that kubeadm expects.
const (
	kubernetesVersion = "v1.37.0"
	containerdVersion = "v2.2.1"
	etcdVersion       = "v3.7.0"
	corednsVersion    = "v1.14.6"
)

// The modules that the programs of a node are built from. One would do, but containerd needs an
// older interface of Kubernetes. What they and the main module share has one version, so that it is
// compiled once.
const (
	programsModule   = "harness/images/programs"
	containerdModule = "harness/images/containerd"
)

// kubernetesPrograms are the names by which the one Kubernetes binary is called.
var kubernetesPrograms = []string{
	"kubeadm", "kubectl", "kubelet", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler",
}

// nodePackages is what systemd, containerd, kubelet, kube-proxy and kind call on a node.
var nodePackages = []string{
	"systemd", "systemd-sysv", "dbus", "iptables", "nftables", "conntrack", "iproute2", "ethtool", "mount", "kmod",
	"procps", "jq", "runc", "socat", "util-linux", "ca-certificates", "libseccomp2", "mawk", "curl",
}

// proxyPackages is what kube-proxy calls in its iptables mode.
var proxyPackages = []string{"iptables", "conntrack", "kmod"}

// proxyLinks are the alternatives that the iptables package would install if it were configured.
func proxyLinks() map[string]entry {
	links := map[string]entry{}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			links["/usr/sbin/"+family+suffix] = entry{link: "xtables-nft-multi"}
		}
	}
	return links
}

func nodeRecipe() recipe {
	return recipe{
		version: kubernetesVersion,
		inputs: []string{
			"harness/images/node.go", "harness/images/layer.go", "harness/images/files/node", programsModule,
			containerdModule,
		},
		debian: []rootfs{nodeRoot(), proxyRootfs()},
		build:  buildNode,
	}
}

func nodeRoot() rootfs { return rootfs{label: "node", variant: "minbase", packages: nodePackages} }

func proxyRootfs() rootfs {
	return rootfs{label: "kube-proxy", variant: "extract", packages: proxyPackages}
}

// nodePrograms are built for the node image, into one directory for each module.
func nodePrograms() []binary {
	const component, containerd = "k8s.io/component-base/version.", "github.com/containerd/containerd/v2/"
	const plugins = "github.com/containernetworking/plugins/plugins/"
	return []binary{
		{
			name: "node", module: programsModule, pkg: "./kubernetes",
			also: []string{
				"./etcd", "./coredns", "./pause", plugins + "ipam/host-local", plugins + "main/loopback", plugins + "main/ptp",
				plugins + "meta/portmap",
			},
			ldflags: []string{ // a program that lacks the variable ignores its flag
				"-X", component + "gitVersion=" + kubernetesVersion, "-X", component + "gitTreeState=clean",
				"-X", component + "gitMajor=1", "-X", component + "gitMinor=37",
			},
		},
		{
			name: "containerd", module: containerdModule, pkg: containerd + "cmd/containerd",
			also:    []string{containerd + "cmd/containerd-shim-runc-v2", containerd + "cmd/ctr"},
			ldflags: []string{"-X", containerd + "version.Version=" + containerdVersion},
		},
	}
}

// nodeTargets are the directories on a node that programs go to; etcd, coredns and pause only go
// into images of the control plane.
var nodeTargets = map[string][]string{
	"/usr/bin":       {"kubernetes"},
	"/usr/local/bin": {"containerd", "containerd-shim-runc-v2", "ctr"},
	"/opt/cni/bin":   {"host-local", "loopback", "ptp", "portmap"},
}

func buildNode(ctx context.Context, b *Builder, debian map[string][]string) (v1.Image, error) {
	var root, proxyRoot string
	built := map[string]string{} // path of each program
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { // waits for disk and network while the compilers use the processors
		if root, err = b.debianRoot(groupCtx, nodeRoot(), debian[nodeRoot().label]); err != nil {
			return err
		}
		proxyRoot, err = b.debianRoot(groupCtx, proxyRootfs(), debian[proxyRootfs().label])
		return err
	})
	group.Go(func() error { // one after the other: the second finds what both need
		for _, bin := range nodePrograms() {
			dir, err := b.binary(groupCtx, bin)
			if err != nil {
				return err
			}
			for _, pkg := range bin.packages() {
				built[path.Base(pkg)] = filepath.Join(dir, path.Base(pkg))
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	work, err := b.layerDir(Node)
	if err != nil {
		return nil, err
	}
	pause, err := controlPlane(ctx, work, proxyRoot, built)
	if err != nil {
		return nil, err
	}
	files := map[string]entry{}
	for dir, programs := range nodeTargets {
		for _, program := range programs {
			files[path.Join(dir, program)] = entry{source: built[program]}
		}
	}
	if err := b.nodeFiles(files, filepath.Join(work, "images.tar"), pause); err != nil {
		return nil, err
	}
	layer := filepath.Join(work, "node.tar")
	if err := writeLayer(layer, files); err != nil {
		return nil, err
	}
	return imageOf(v1.Config{
		Entrypoint: []string{"/usr/local/bin/entrypoint", "/sbin/init"},
		Env:        []string{"container=docker", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		StopSignal: "SIGRTMIN+3", // systemd's request to shut down
	}, root, layer)
}

// nodeFiles adds configuration, units and links to the node's layer.
func (b *Builder) nodeFiles(files map[string]entry, imagesArchive, pause string) error {
	read := func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(b.Root, "harness/images/files/node", name))
	}
	for target, name := range map[string]string{
		"/usr/local/bin/entrypoint":                  "entrypoint",
		"/etc/containerd/config.toml":                "containerd.toml",
		"/etc/systemd/system/containerd.service":     "containerd.service",
		"/etc/systemd/system/kubelet.service":        "kubelet.service",
		"/etc/systemd/system/steamer-images.service": "steamer-images.service",
	} {
		data, err := read(name)
		if err != nil {
			return err
		}
		files[target] = entry{data: []byte(strings.ReplaceAll(string(data), "@PAUSE@", pause))}
	}
	files["/usr/local/bin/entrypoint"] = entry{data: files["/usr/local/bin/entrypoint"].data, mode: 0o755}
	for _, unit := range []string{"containerd", "kubelet", "steamer-images"} {
		files["/etc/systemd/system/multi-user.target.wants/"+unit+".service"] = entry{link: "/etc/systemd/system/" + unit +
			".service"}
	}
	// Units that a node in a container has no use for, and that would touch the host's devices.
	for _, unit := range []string{
		"systemd-udevd.service", "systemd-logind.service", "getty@.service",
		"console-getty.service", "apt-daily.timer", "apt-daily-upgrade.timer", "fstrim.timer", "e2scrub_all.timer",
	} {
		files["/etc/systemd/system/"+unit] = entry{link: "/dev/null"}
	}
	for _, program := range kubernetesPrograms {
		files["/usr/bin/"+program] = entry{link: "kubernetes"}
	}
	files["/kind/version"] = entry{data: []byte(kubernetesVersion + "\n")}
	files["/kind/images.tar"] = entry{source: imagesArchive, mode: 0o644}
	files["/etc/kubernetes/manifests"] = entry{dir: true}
	files["/etc/crictl.yaml"] = entry{data: []byte("runtime-endpoint: unix:///run/containerd/containerd.sock\n")}
	files["/etc/default/kubelet"] = entry{data: []byte("KUBELET_EXTRA_ARGS=\n")}
	return nil
}

// controlPlane writes the images of the control plane, under the names that kubeadm expects,
// to images.tar in dir and returns the name of the pause image.
func controlPlane(ctx context.Context, dir, proxyRoot string, built map[string]string) (pause string, err error) {
	kubeadm := filepath.Join(dir, "kubeadm")
	if err := os.Symlink(built["kubernetes"], kubeadm); err != nil {
		return "", err
	}
	list, err := exec.CommandContext(ctx, kubeadm, "config", "images", "list", "--kubernetes-version",
		kubernetesVersion).Output()
	if err != nil {
		return "", fmt.Errorf("kubeadm config images list: %w", err)
	}
	kubernetesLayer := map[string]entry{
		"/usr/local/bin/kubernetes": {source: built["kubernetes"]},
		"/tmp":                      {dir: true, mode: 0o1777},
	}
	for _, program := range kubernetesPrograms {
		kubernetesLayer["/usr/local/bin/"+program] = entry{link: "kubernetes"}
	}
	layers := map[string]string{}
	for label, entries := range map[string]map[string]entry{
		"kubernetes": kubernetesLayer,
		"etcd":       {"/usr/local/bin/etcd": {source: built["etcd"]}},
		"coredns":    {"/coredns": {source: built["coredns"]}},
		"pause":      {"/pause": {source: built["pause"]}},
		"proxy":      proxyLinks(),
	} {
		layers[label] = filepath.Join(dir, label+".tar")
		if err := writeLayer(layers[label], entries); err != nil {
			return "", err
		}
	}
	images := map[name.Tag]v1.Image{}
	for _, ref := range strings.Fields(string(list)) {
		tag, err := name.NewTag(ref)
		if err != nil {
			return "", err
		}
		program := path.Base(tag.RepositoryStr())
		if err := expected(program, tag.TagStr()); err != nil {
			return "", err
		}
		config := v1.Config{Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}}
		stack := []string{layers["kubernetes"]}
		switch program {
		case "etcd":
			stack = []string{layers["etcd"]}
		case "coredns":
			stack, config.Entrypoint = []string{layers["coredns"]}, []string{"/coredns"}
		case "pause":
			stack, config.Entrypoint, pause = []string{layers["pause"]}, []string{"/pause"}, ref
		case "kube-proxy": // runs the iptables and conntrack of its own image
			stack = []string{proxyRoot, layers["proxy"], layers["kubernetes"]}
			config.Env = []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
		}
		if images[tag], err = imageOf(config, stack...); err != nil {
			return "", err
		}
	}
	return pause, tarball.MultiWriteToFile(filepath.Join(dir, "images.tar"), images)
}

// expected compares the version that kubeadm names for an image, 3.6.8-0 or v1.14.2, with the one
// that is built.
func expected(program, tag string) error {
	want, ok := map[string]string{"etcd": etcdVersion, "coredns": corednsVersion}[program]
	if named, _, _ := strings.Cut(strings.TrimPrefix(tag, "v"), "-"); ok && "v"+named != want {
		return fmt.Errorf("kubeadm %s expects %s %s, and %s builds %s: raise both", kubernetesVersion, program, tag,
			programsModule, want)
	}
	return nil
}
