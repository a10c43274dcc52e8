package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/exit"
)

// cniConfig is the file on a node from which containerd takes the network that Steamer configures.
const cniConfig = "/etc/cni/net.d/10-steamer.conflist"

// nodeContainers returns the names of the node containers, which are also the nodes' names.
func (c *Cluster) nodeContainers(ctx context.Context) ([]string, error) {
	out, err := c.engine.Run(ctx, "ps", "--filter", "label=io.x-k8s.kind.cluster="+c.Name, "--format", "{{.Names}}")
	return strings.Fields(out), err
}

// NodeNames returns the names of the node containers of a kind cluster, and nothing for an
// existing cluster.
func (c *Cluster) NodeNames(ctx context.Context) ([]string, error) {
	if c.engine == nil {
		return nil, nil
	}
	return c.nodeContainers(ctx)
}

// configureCNI gives each node a bridge-less network of its own pod range (point-to-point links
// and routes) and a route to every other node's range. It stands in for kindnet, which exists only
// inside kind's own node image; like kindnet's oldest form it enforces no NetworkPolicy.
func (c *Cluster) configureCNI(ctx context.Context) error {
	nodes, err := c.nodesWithPodCIDR(ctx)
	if err != nil {
		return err
	}
	pods, err := c.podRange(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if err := c.awaitServiceRules(ctx, node.Name); err != nil {
			return err
		}
		config, err := conflist(node.Spec.PodCIDR)
		if err != nil {
			return err
		}
		script := "mkdir -p /etc/cni/net.d && cat > " + cniConfig
		if _, err := c.engine.RunInput(ctx, strings.NewReader(config), "exec", "-i", node.Name, "sh", "-c",
			script); err != nil {
			return exit.Environmentf("CNI of node "+node.Name, "", "%w", err)
		}
		if err := c.join(ctx, node, nodes, pods); err != nil {
			return err
		}
	}
	return nil
}

// podRange is the cluster's range of pod addresses: kubeadm, which kind uses, keeps it in the
// cluster.
func (c *Cluster) podRange(ctx context.Context) (string, error) {
	kept, err := c.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kubeadm-config", metav1.GetOptions{})
	var config struct {
		Networking struct {
			PodSubnet string `json:"podSubnet"`
		} `json:"networking"`
	}
	if err == nil {
		err = yaml.Unmarshal([]byte(kept.Data["ClusterConfiguration"]), &config)
	}
	if err == nil {
		for subnet := range strings.SplitSeq(config.Networking.PodSubnet, ",") {
			if parsed, err := netip.ParsePrefix(strings.TrimSpace(subnet)); err == nil && parsed.Addr().Is4() {
				return parsed.String(), nil
			}
		}
		err = fmt.Errorf("podSubnet %q holds no IPv4 range", config.Networking.PodSubnet)
	}
	return "", exit.Environmentf("pod range of cluster "+c.Name, "", "%w", err)
}

// join leads a node's pods to the other nodes' pods and out of the cluster, whose pods have
// addresses of a range.
func (c *Cluster) join(ctx context.Context, node corev1.Node, nodes []corev1.Node, pods string) error {
	if err := c.masquerade(ctx, node.Name, pods); err != nil {
		return err
	}
	for _, peer := range nodes {
		if peer.Name == node.Name {
			continue
		}
		if _, err := c.engine.Run(ctx, "exec", node.Name, "ip", "route", "replace", peer.Spec.PodCIDR, "via",
			internalIP(peer)); err != nil {
			return exit.Environmentf("pod routes of node "+node.Name, "", "%w", err)
		}
	}
	return nil
}

// Rejoin gives nodes whose containers were started again, with the engine for instance, the routes
// and rules that they lost with their network. It waits until the cluster is Ready. Clusters with
// a CNI of their own restore these by themselves.
func (c *Cluster) Rejoin(ctx context.Context) error {
	nodes, err := c.nodesWithPodCIDR(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if _, err := c.engine.Run(ctx, "exec", node.Name, "test", "-e", cniConfig); err != nil {
			continue
		}
		pods, err := c.podRange(ctx)
		if err != nil {
			return err
		}
		if err := c.join(ctx, node, nodes, pods); err != nil {
			return err
		}
	}
	return c.awaitReady(ctx)
}

// masquerade lets pods talk to machines outside the cluster under their node's address; pod to pod
// keeps the pods' own. It adds its rule where that is missing.
func (c *Cluster) masquerade(ctx context.Context, node, pods string) error {
	rule := "POSTROUTING --source " + pods + " ! --destination " + pods +
		" --match comment --comment 'steamer: pods leave the cluster as their node' --jump MASQUERADE"
	_, err := c.engine.Run(ctx, "exec", node, "sh", "-c", "iptables --table nat --check "+rule+
		" 2>/dev/null || iptables --table nat --append "+rule)
	if err != nil {
		return exit.Environmentf("masquerading on node "+node, "", "%w", err)
	}
	return nil
}

// nodesWithPodCIDR waits until the controller manager has given every node its pod range.
func (c *Cluster) nodesWithPodCIDR(ctx context.Context) ([]corev1.Node, error) {
	var nodes []corev1.Node
	err := c.await(ctx, "every node has a pod range", func(ctx context.Context) error {
		list, err := c.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		nodes = list.Items
		if len(nodes) == 0 || slices.ContainsFunc(nodes, func(n corev1.Node) bool { return n.Spec.PodCIDR == "" }) {
			return errors.New("the controller manager has not assigned them")
		}
		return nil
	})
	return nodes, err
}

// awaitServiceRules waits until kube-proxy has programmed a node for the API's own Service,
// whether by iptables or nftables. A pod that connects before that leaves a connection in the
// kernel's table that is never translated, and waits for its time-out of 30 s: with CoreDNS that
// made a cluster Ready half a minute late.
func (c *Cluster) awaitServiceRules(ctx context.Context, node string) error {
	return c.await(ctx, "kube-proxy has programmed node "+node, func(ctx context.Context) error {
		service, err := c.Client.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
		if err != nil {
			return err
		}
		rules, err := c.engine.Run(ctx, "exec", node, "sh", "-c",
			"iptables-save --table nat; nft list ruleset 2>/dev/null || true")
		if err == nil && !strings.Contains(rules, service.Spec.ClusterIP) {
			err = fmt.Errorf("no packet rule leads to Service kubernetes at %s", service.Spec.ClusterIP)
		}
		return err
	})
}

func conflist(podCIDR string) (string, error) {
	config := map[string]any{
		"cniVersion": "1.0.0", "name": "steamer",
		"plugins": []map[string]any{
			{
				"type": "ptp", "ipMasq": false, // one rule for the whole pod range does it, see masquerade
				"ipam": map[string]any{
					"type": "host-local", "dataDir": "/run/cni-ipam-state",
					"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
					"ranges": [][]map[string]string{{{"subnet": podCIDR}}},
				},
			},
			{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	}
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return "", fmt.Errorf("CNI configuration: %w", err)
	}
	return string(data), nil
}

func internalIP(node corev1.Node) string {
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return address.Address
		}
	}
	return ""
}
