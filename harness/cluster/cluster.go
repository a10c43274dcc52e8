// Package cluster brings up, finds and removes the Kubernetes clusters that runs use: kind
// clusters that Steamer owns, and existing clusters, where it owns nothing but its namespaces.
package cluster

import (
	"cmp"
	"fmt"
	"regexp"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
)

// NodePort is the port of a node that leads to the OpenBao under test; kind-config.yaml maps it to
// the host.
const NodePort = 30820

// SecondNodePort leads to a second OpenBao beside it, on clusters that are made for comparisons.
const SecondNodePort = 30821

// FirstShardNodePort is the first of the ports that lead to further OpenBaos beside the first, on
// clusters of runs that install several.
const FirstShardNodePort = 30830

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// maxNameLength is kind's limit for the name of a cluster, which becomes a host name.
const maxNameLength = 50

// Cluster is a cluster that answers.
type Cluster struct {
	Name       string
	Kubeconfig string // path of a kubeconfig file
	Context    string // of the kubeconfig; empty for its current one
	HostPort   int    // loopback port that leads to OpenBao: by NodePort on kind, by a Forward on existing clusters
	SecondPort int    // loopback port that leads to SecondNodePort; 0 where nothing does
	ShardPort  int    // loopback port that leads to FirstShardNodePort; those above it lead to the ports above that
	Shards     int    // how many such ports there are
	Version    string // Kubernetes' version, e.g. "v1.36.3"
	Owned      bool   // a kind cluster with Steamer's owner mark
	Created    bool   // by this process
	REST       *rest.Config
	Client     kubernetes.Interface

	engine *engine.Engine // nil on existing clusters
	mark   string         // owner mark as text; empty on existing clusters
}

// MachineLabels are the labels, as NAME=VALUE, of a container that stands for a machine beside the
// cluster: it is its owner's and goes with it.
func (c *Cluster) MachineLabels() []string {
	return []string{machineLabel + "=" + c.Name, markLabel + "=" + c.mark}
}

// connect fills in the clients from the kubeconfig.
func (c *Cluster) connect(context string) error {
	loader := &clientcmd.ClientConfigLoadingRules{ExplicitPath: c.Kubeconfig}
	if c.Kubeconfig == "" {
		loader = clientcmd.NewDefaultClientConfigLoadingRules()
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(loader,
		&clientcmd.ConfigOverrides{CurrentContext: context}).ClientConfig()
	if err != nil {
		return exit.Invalidf("kubeconfig "+cmp.Or(c.Kubeconfig, "(default)"),
			"kubectl config get-contexts lists the contexts", "%w", err)
	}
	// Scenarios and observers share this client; the defaults of 5 requests per second would
	// throttle them, not the server.
	config.QPS, config.Burst, config.UserAgent = 100, 200, "steamer"
	config.WarningHandler = rest.NoWarnings{}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return exit.Invalidf("kubeconfig "+c.Kubeconfig, "", "%w", err)
	}
	probe := rest.CopyConfig(config)
	probe.Timeout = 10 * time.Second
	probeClient, err := kubernetes.NewForConfig(probe)
	if err != nil {
		return err
	}
	version, err := probeClient.Discovery().ServerVersion()
	if err != nil {
		return exit.Environmentf("cluster "+c.Name, "kubectl cluster-info shows whether it is reachable",
			"it does not answer: %w", err)
	}
	c.REST, c.Client, c.Version = config, client, version.GitVersion
	return nil
}

// checkName refuses a name that kind could not use.
func checkName(name string) error {
	if len(name) > maxNameLength || !validName.MatchString(name) {
		hint := fmt.Sprintf("use at most %d lower-case letters, digits, dots and dashes, with a letter or digit at both ends",
			maxNameLength)
		return exit.Invalidf(fmt.Sprintf("--cluster %q", name), hint, "it cannot be part of host names")
	}
	return nil
}
