package lint

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

var serverFilesRules = []Rule{{
	ID: "server/files", Title: "files that the configuration names are mounted", Severity: Error,
	Protects: "OpenBao does not start without its certificate or its seal's key, and a CA that is not named is not " +
		"asked: the database is then verified by the image's list of authorities, or not at all.",
	Hint: "build the path in the configuration and the mount from one template",
	Detail: "Reads tls_cert_file, tls_key_file, tls_client_ca_file, sslrootcert, sslcert and sslkey of the connection " +
		"URL, and file:// anywhere. In the pods that mount the configuration, one that lies in a volume which lists " +
		"its items has to be one of them; one that lies in no volume, which may be the image's, is a warning. So is " +
		"sslmode verify-ca or verify-full without sslrootcert.",
	lenient: true, each: serverFiles,
}}

var fileSetting = regexp.MustCompile(`^tls_(cert|key|client_ca)_file$`)

// named lists the files that a configuration names, by the setting.
func (c *config) named() map[string]string {
	all := map[string]string{}
	find(c.tree, nil, func(at mutate.Path, text string) bool {
		if fileSetting.MatchString(at[len(at)-1]) {
			all[at.String()] = text
		}
		for _, match := range fileURL.FindAllStringSubmatch(text, -1) {
			all[at.String()] = match[1]
		}
		return false
	})
	text, _ := c.get("storage", "postgresql", "connection_url").(string)
	for _, name := range []string{"sslrootcert", "sslcert", "sslkey"} {
		if file, err := url.QueryUnescape(parameter(text, name)); err == nil && strings.HasPrefix(file, "/") {
			all["storage.postgresql.connection_url, "+name] = file
		}
	}
	return all
}

var fileURL = regexp.MustCompile(`file://(/[^\s"'\\]+)`)

func serverFiles(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, server := range serverConfigs(c) {
		text, _ := server.get("storage", "postgresql", "connection_url").(string)
		if verified.Has(parameter(text, "sslmode")) && parameter(text, "sslrootcert") == "" {
			all = append(all, warnAt(server.object, server.path+".storage.postgresql.connection_url",
				"verifies the database's certificate and names no sslrootcert"))
		}
		for setting, file := range server.named() {
			for _, p := range server.pods(c) {
				severity, problem := p.lacks(file)
				if problem == "" {
					continue
				}
				finding := at(server.object, server.path+"."+setting, fmt.Sprintf("names %s, which %s in %s", file, problem,
					p.object.ID()))
				finding.Severity = severity
				all = append(all, finding)
			}
		}
	}
	return all
}

// lacks says why a pod has no file, as a warning where the image may have it; "" where it may have
// it.
func (p *pod) lacks(file string) (Severity, string) {
	volume, within := p.volumeOf(file)
	if volume == nil {
		return Warning, "is on no volume"
	}
	var items []corev1.KeyToPath
	switch {
	case volume.Secret != nil:
		items = volume.Secret.Items
	case volume.ConfigMap != nil:
		items = volume.ConfigMap.Items
	}
	if len(items) > 0 && !slices.ContainsFunc(items, func(i corev1.KeyToPath) bool { return i.Path == within }) {
		return "", "is not among the items of volume " + volume.Name
	}
	return "", ""
}

// volumeOf finds the volume that a file of the pod's containers lies in, and its path there; nil
// where it is the image's.
func (p *pod) volumeOf(file string) (*corev1.Volume, string) {
	var mount *corev1.VolumeMount
	p.containers(func(_ string, container *corev1.Container) {
		for i, m := range container.VolumeMounts {
			above := path.Clean(m.MountPath)
			inside := path.Clean(file) == above || strings.HasPrefix(path.Clean(file), above+"/")
			if inside && (mount == nil || len(above) > len(path.Clean(mount.MountPath))) {
				mount = &container.VolumeMounts[i]
			}
		}
	})
	if mount == nil {
		return nil, ""
	}
	for i := range p.spec.Volumes {
		if p.spec.Volumes[i].Name == mount.Name {
			rest := strings.TrimPrefix(path.Clean(file), path.Clean(mount.MountPath))
			return &p.spec.Volumes[i], strings.TrimPrefix(path.Join(mount.SubPath, rest), "/")
		}
	}
	return &corev1.Volume{Name: mount.Name}, "" // a claim of a StatefulSet
}
