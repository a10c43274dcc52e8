package cluster

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
)

// imagesPath is where nodes see the directory of image archives.
const imagesPath = "/kind/steamer-images"

// Load imports image archives into every node of a kind cluster; on an existing cluster it does
// nothing, because its nodes pull for themselves, as all nodes do for images without an archive.
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
