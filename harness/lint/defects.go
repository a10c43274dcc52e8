package lint

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"

	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

// broken is the finding of a probe that does not render. A chart that demands more than the probe
// gives is not to blame.
func (s *subject) broken(path string, err error) []Finding {
	finding := s.aboutValue(path, "setting it does not render: "+reason(err))
	if demand(err) {
		finding.Severity = Info
	}
	finding.File, finding.Line = chart.TemplatePlace(err)
	return []Finding{finding}
}

func previousKey(s *subject) []Finding {
	const path, id = "config.unseal.static.previousKeyId", "static-unseal-previous"
	c := s.probe(map[string]any{path: id, "config.unseal.static.previousKeySecret": "previous-unseal-key"})
	if c.Err != nil {
		return s.broken(path, c.Err)
	}
	if server := serverConfig(c); server != nil && server.get("seal", "static", "previous_key_id") != id {
		return []Finding{at(server.object, server.path+".seal.static.previous_key_id", path+" does not come out here")}
	}
	return nil
}

func metricFilters(s *subject) []Finding {
	var all []Finding
	for _, values := range []map[string]any{nil, {"config.telemetry.metricsPrefix": "probe"}} {
		c := s.probe(values)
		server := serverConfig(c)
		if c.Err != nil || server == nil || len(all) > 0 {
			continue
		}
		prefix, _ := server.get("telemetry", "metrics_prefix").(string)
		filters, _ := server.get("telemetry", "prefix_filter").([]any)
		wrong := slices.DeleteFunc(slices.Clone(filters), func(filter any) bool {
			text, _ := filter.(string)
			name := strings.TrimLeft(text, "+-")
			return name == prefix || strings.HasPrefix(name, prefix+".")
		})
		if len(wrong) > 0 {
			all = append(all, at(server.object, server.path+".telemetry.prefix_filter",
				fmt.Sprintf("%d of %d filters never match, such as %q: every metric begins with %q",
					len(wrong), len(filters), wrong[0], prefix+".")))
		}
	}
	return all
}

func auditToken(s *subject) []Finding {
	const path = "config.audit.http.enabled"
	c := s.probe(map[string]any{
		path: true, "config.audit.http.streamingUri": "http://gitlab.example/audit",
		"image.tag": "2.6.0", "openbaoVersion": "2.6.0", // the device came with 2.5.0
	})
	if c.Err != nil {
		return s.broken(path, c.Err)
	}
	documents, err := s.renderer.RenderDocuments(c.upgrading(s), c.Values)
	if err != nil {
		return s.broken(path, err)
	}
	var upgraded []*Object
	for _, document := range documents {
		upgraded = append(upgraded, s.objectsOf(document)...)
	}
	var all []Finding
	for _, o := range c.Objects {
		if o.GVK.Kind != "Secret" || counterpart(o, c.from.Objects) != nil {
			continue // not the audit device's
		}
		if after := counterpart(o, upgraded); after != nil {
			for _, path := range differences(o.Tree["data"], after.Tree["data"], nil) {
				all = append(all, at(o, "data."+path.String(), "every upgrade makes a new audit token"))
			}
		}
	}
	return all
}

func timeouts(s *subject) []Finding {
	var all []Finding
	base := s.bases()[0]
	for _, name := range []string{"connectTimeout", "tcpUserTimeout"} {
		path := "config.storage.postgresql.connection." + name
		if !s.has(path) {
			continue
		}
		current, _ := mutate.Get(base.Values, key(path))
		value := int64(17)
		if current == value {
			value = 18
		}
		if c := s.probe(map[string]any{path: value}); c.Err == nil && !s.differ(base, c) {
			all = append(all, s.aboutValue(path, "is never rendered"))
		}
	}
	return all
}

// libpqOnly are parameters of libpq's connection strings that pgx does not know and passes on to
// PostgreSQL.
var libpqOnly = sets.New("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_count",
	"requiressl",
	"requirepeer", "gssencmode", "sslcompression", "sslcrl")

func urlParameters(s *subject) []Finding {
	const above = "config.storage.postgresql.connection."
	values := map[string]any{}
	for _, name := range []string{"keepalives", "keepalivesIdle", "keepalivesInterval", "keepalivesCount"} {
		values[above+name] = int64(3)
	}
	c := s.probe(values)
	if c.Err != nil { // refusing them is as good as leaving them out
		c = s.bases()[0]
	}
	server := serverConfig(c)
	if server == nil {
		return nil
	}
	parsed, err := connection(server)
	if err != nil || parsed == nil {
		return nil // openbao/url-escaping
	}
	var all []Finding
	for _, name := range sets.List(sets.KeySet(parsed.RuntimeParams).Intersection(libpqOnly)) {
		all = append(all, at(server.object, server.path+".storage.postgresql.connection_url",
			"parameter "+name+" is not pgx's: PostgreSQL refuses the connection"))
	}
	return all
}

func tableNames(s *subject) []Finding {
	var all []Finding
	for name, rendered := range map[string]string{"table": "table", "haTable": "ha_table"} {
		path := "config.storage.postgresql." + name
		if !s.has(path) {
			continue
		}
		c := s.probe(map[string]any{path: "probe_table"})
		server := serverConfig(c)
		switch {
		case errors.Is(c.Err, chart.ErrValues):
			all = append(all, s.aboutValue(path, "the schema refuses the name of a table"))
		case c.Err != nil:
			all = append(all, s.broken(path, c.Err)...)
		case server != nil && server.get("storage", "postgresql", rendered) != "probe_table":
			all = append(all, at(server.object, server.path+".storage.postgresql."+rendered, path+" does not come out here"))
		}
	}
	return all
}

func urlEscaping(s *subject) []Finding {
	const above, user, database = "config.storage.postgresql.connection.", "us er@a:b/c?d#e&f%g", "da ta/b?c#d&e%f"
	c := s.probe(map[string]any{above + "username": user, above + "database": database})
	server := serverConfig(c)
	if server == nil {
		return nil
	}
	place := at(server.object, server.path+".storage.postgresql.connection_url",
		"user and database are not escaped: with reserved characters pgx ")
	switch parsed, err := connection(server); {
	case err != nil:
		place.Message += "cannot parse it"
	case parsed == nil || parsed.User == user && parsed.Database == database:
		return nil
	default:
		place.Message += "finds other ones"
	}
	return []Finding{place}
}

func extraVolumes(s *subject) []Finding {
	values := map[string]any{}
	for _, leaf := range s.leaves {
		_, isText := leaf.Value.(string)
		switch path := leaf.Path.String(); {
		case path == "extraVolumes" && isText:
			values[path] = "- name: probe\n  emptyDir: {}"
		case path == "extraVolumes":
			values[path] = []any{map[string]any{"name": "probe", "emptyDir": map[string]any{}}}
		case path == "extraVolumeMounts" && isText:
			values[path] = "- name: probe\n  mountPath: /probe"
		case path == "extraVolumeMounts":
			values[path] = []any{map[string]any{"name": "probe", "mountPath": "/probe"}}
		}
	}
	c := s.probe(values)
	if c.Err != nil {
		return s.broken("extraVolumes", c.Err)
	}
	var all []Finding
	for _, o := range c.from.Objects {
		before := o.pod()
		other := counterpart(o, c.Objects)
		if before == nil || other == nil || other.pod() == nil {
			continue
		}
		for _, name := range sets.List(mounted(before).Difference(mounted(other.pod()))) {
			all = append(all, at(o, before.path+"spec.volumes", "setting extraVolumes takes away "+name))
		}
	}
	return all
}

// mounted names the volumes and mounts of a pod.
func mounted(p *pod) sets.Set[string] {
	all := sets.New[string]()
	for _, volume := range p.spec.Volumes {
		all.Insert("volume " + volume.Name)
	}
	p.containers(func(_ string, c *corev1.Container) {
		for _, mount := range c.VolumeMounts {
			all.Insert("the mount of " + mount.Name + " at " + mount.MountPath)
		}
	})
	return all
}
