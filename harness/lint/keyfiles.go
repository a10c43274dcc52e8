package lint

import (
	"fmt"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// keyFile fits the names of private keys and passwords in Secrets.
var keyFile = regexp.MustCompile(`(?i)(^|[._-])key$|\.pem$|password|token`)

// keyFiles checks who in a pod may read the Secrets that it mounts as files.
func keyFiles(s *subject, c *Case) []Finding {
	var all []Finding
	seal := s.sealSecrets(c)
	for _, o := range c.Objects {
		p := o.pod()
		if p == nil {
			continue
		}
		secretFiles(p.spec.Volumes, func(path, secret string, items []corev1.KeyToPath, mode int32) {
			place := p.path + "spec." + path
			key := seal.Has(secret) || slices.ContainsFunc(items,
				func(i corev1.KeyToPath) bool { return keyFile.MatchString(i.Key) })
			for _, item := range items {
				if item.Mode != nil {
					mode = *item.Mode
				}
			}
			switch {
			case key && mode&0o007 != 0:
				finding := at(o, place, fmt.Sprintf("gives the files of Secret %s mode %#o: every process of the pod may read them",
					secret, mode))
				if !seal.Has(secret) {
					finding.Severity = Warning
				}
				all = append(all, finding)
			case p.unreadable(mode):
				all = append(all, at(o, place, fmt.Sprintf(
					"gives the files of Secret %s mode %#o, and the pod has no fsGroup: "+
						"they are root's, and its user cannot read them",
					secret, mode)))
			}
		})
	}
	return all
}

// secretFiles visits the Secrets among volumes with the mode of their files.
func secretFiles(volumes []corev1.Volume, visit func(path, secret string, items []corev1.KeyToPath, mode int32)) {
	or := func(mode *int32) int32 {
		if mode == nil {
			return 0o644 // Kubernetes' default
		}
		return *mode
	}
	for i, volume := range volumes {
		if s := volume.Secret; s != nil {
			visit(fmt.Sprintf("volumes[%d].secret.defaultMode", i), s.SecretName, s.Items, or(s.DefaultMode))
		}
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if s := source.Secret; s != nil {
				visit(fmt.Sprintf("volumes[%d].projected.defaultMode", i), s.Name, s.Items, or(volume.Projected.DefaultMode))
			}
		}
	}
}

// unreadable says whether no container's user may read root's files of a mode. With an fsGroup,
// Kubernetes gives the group to the files and lets it read.
func (p *pod) unreadable(mode int32) bool {
	own := p.spec.SecurityContext
	if own == nil {
		own = &corev1.PodSecurityContext{}
	}
	if own.FSGroup != nil || mode&0o004 != 0 {
		return false
	}
	rootless := own.RunAsUser != nil && *own.RunAsUser != 0 || own.RunAsNonRoot != nil && *own.RunAsNonRoot
	otherGroup := own.RunAsGroup != nil && *own.RunAsGroup != 0
	return rootless && (mode&0o040 == 0 || otherGroup)
}
