package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

// config reads the base configuration and adds what depends on the host; mark is the path that
// carries the owner mark.
func (opts Options) config(mark string) (*v1alpha4.Cluster, error) {
	data, err := os.ReadFile(opts.Config)
	if err != nil {
		return nil, exit.Invalidf("kind configuration "+opts.Config, "name a file that can be read", "%w", err)
	}
	config := &v1alpha4.Cluster{}
	if err := document.YAML(data, config); err != nil {
		return nil, exit.Invalidf("kind configuration "+opts.Config, "it has to be a kind.x-k8s.io/v1alpha4 Cluster", "%w",
			err)
	}
	if err := networksFit(config.Networking); err != nil {
		return nil, exit.Invalidf("kind configuration "+opts.Config, "correct networking", "%w", err)
	}
	if len(config.Nodes) == 0 {
		config.Nodes = []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole}}
	}
	config.Networking.DisableDefaultCNI = opts.Node != nil &&
		!opts.Node.Pulled // kindnet is part of kind's own node image only
	mapped, planes := false, 0
	for i := range config.Nodes {
		node := &config.Nodes[i]
		if node.Role == v1alpha4.ControlPlaneRole {
			planes++
		}
		mount := func(host, container string) {
			node.ExtraMounts = append(node.ExtraMounts, v1alpha4.Mount{HostPath: host, ContainerPath: container, Readonly: true})
		}
		mount(mark, ownerPath)
		if opts.ImageDir != "" {
			mount(opts.ImageDir, imagesPath)
		}
		for j := range node.ExtraPortMappings {
			if node.ExtraPortMappings[j].ContainerPort == NodePort {
				node.ExtraPortMappings[j].HostPort, mapped = int32(opts.HostPort), true
				if opts.Second { // the same way in, so that neither side of a comparison has a longer one
					second := node.ExtraPortMappings[j]
					second.ContainerPort, second.HostPort = SecondNodePort, int32(opts.SecondPort)
					node.ExtraPortMappings = append(node.ExtraPortMappings, second)
				}
				for shard := range opts.Shards {
					further := node.ExtraPortMappings[j]
					further.ContainerPort, further.HostPort = int32(FirstShardNodePort+shard), int32(opts.shardPort+shard)
					node.ExtraPortMappings = append(node.ExtraPortMappings, further)
				}
			}
		}
	}
	if !mapped {
		hint := fmt.Sprintf("add an extraPortMappings entry with containerPort: %d", NodePort)
		return nil, exit.Invalidf("kind configuration "+opts.Config, hint, "no node maps the port that leads to OpenBao")
	}
	if planes > 1 { // kind puts a load balancer before them, a container without any mount
		return nil, exit.Invalidf("kind configuration "+opts.Config, "use one control-plane node",
			"the load balancer before %d of them could not carry the mark of the cluster's owner", planes)
	}
	return config, nil
}

// networksFit refuses networks that kind would refuse after minutes, or that Steamer's own cannot
// serve: it reaches clusters by IPv4 only.
func networksFit(n v1alpha4.Networking) error {
	if n.IPFamily == v1alpha4.IPv6Family {
		return errors.New("ipFamily is ipv6, and Steamer reaches clusters by IPv4 only")
	}
	const podSubnet, serviceSubnet = "10.244.0.0/16", "10.96.0.0/16" // kind's own
	var all []netip.Prefix
	for name, text := range map[string]string{
		"podSubnet": cmp.Or(n.PodSubnet, podSubnet), "serviceSubnet": cmp.Or(n.ServiceSubnet, serviceSubnet),
	} {
		served := false
		for part := range strings.SplitSeq(text, ",") {
			parsed, err := netip.ParsePrefix(strings.TrimSpace(part))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if slices.ContainsFunc(all, parsed.Overlaps) {
				return fmt.Errorf("%s %s overlaps another range", name, parsed)
			}
			all, served = append(all, parsed), served || parsed.Addr().Is4()
		}
		if !served {
			return fmt.Errorf("%s %s has no IPv4 range", name, text)
		}
	}
	return nil
}
