package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/topology"
)

// replaceable are the images that a plan may replace: what runs as pods.
func (p Plan) replaceable() []string {
	all := []string{images.OpenBao, images.PostgreSQL, images.GitLabStub}
	if p.InCluster != nil {
		all = append(all, images.K6)
	}
	return all
}

// CheckReference refuses what no engine could pull, or could pull today and not tomorrow; flag is
// the input that errors name. They are of code exit.Invalid.
func CheckReference(flag, ref string) error {
	const hint = "use REPOSITORY:TAG or REPOSITORY@sha256:DIGEST"
	if _, err := name.ParseReference(ref); err != nil {
		return exit.Invalidf(flag, hint, "%w", err)
	}
	if last := ref[strings.LastIndex(ref, "/")+1:]; !strings.ContainsAny(last, ":@") {
		return exit.Invalidf(flag, hint, "it has neither tag nor digest")
	}
	return nil
}

// checkImages refuses references that no engine could pull, and an existing cluster without
// references of its own.
func (p Plan) checkImages() error {
	for _, image := range slices.Sorted(maps.Keys(p.Images)) {
		flag, ref := fmt.Sprintf("--image %s=%s", image, p.Images[image]), p.Images[image]
		if known := append(p.replaceable(), images.Node, images.Vault); !slices.Contains(known, image) {
			return exit.Invalidf(flag, "choose from "+strings.Join(known, ", "), "there is no such image")
		}
		if image == images.Node && p.Cluster.Existing() {
			return exit.Invalidf(flag, "leave it out", "the nodes of an existing cluster are there")
		}
		if err := CheckReference(flag, ref); err != nil {
			return err
		}
	}
	if !p.Cluster.Existing() {
		return nil
	}
	if slices.Contains(p.Topologies, topology.CloudNativeHybrid) {
		return exit.Invalidf("--topology "+topology.CloudNativeHybrid,
			"use --topology "+topology.CloudNative+", or leave --context and --kubeconfig out",
			"on an existing cluster Steamer has no engine on the cluster's network to run PostgreSQL outside it")
	}
	for _, image := range p.replaceable() {
		if image == images.OpenBao && p.Images[images.Vault] != "" {
			continue
		}
		if p.Images[image] == "" {
			return exit.Invalidf("--image "+image, "push it where the cluster can pull it, and pass --image "+image+"=REFERENCE",
				"an existing cluster cannot see the image that Steamer builds")
		}
	}
	return nil
}
