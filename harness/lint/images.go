package lint

import (
	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
)

func pinned(_ *subject, o *Object) []Finding {
	p := o.pod()
	if p == nil {
		return nil
	}
	var all []Finding
	p.containers(func(path string, c *corev1.Container) {
		if _, err := name.NewDigest(c.Image); err == nil {
			return
		}
		switch tag, err := name.NewTag(c.Image, name.WithDefaultTag("")); {
		case err != nil:
			all = append(all, at(o, path+".image", "is no image reference: "+oneLine(err.Error())))
		case tag.TagStr() == "":
			all = append(all, at(o, path+".image", c.Image+" has neither tag nor digest"))
		case tag.TagStr() == "latest":
			all = append(all, at(o, path+".image", c.Image+" floats"))
		}
	})
	return all
}
