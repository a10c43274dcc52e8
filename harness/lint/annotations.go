package lint

import (
	"cmp"
	"strconv"
	"strings"
)

var annotationsRules = []Rule{{
	ID: "wiring/scrape-annotations", Title: "annotations for Prometheus name the metrics", Severity: Error,
	Protects: "A Prometheus that goes by annotations collects nothing, and no target tells why.",
	Hint:     "write port, path and scheme from the values of the metrics' listener",
	Detail: "Reads prometheus.io/scrape, port, path and scheme of OpenBao's pods, and the same after " +
		"gitlab.com/prometheus_. At the port is a listener that answers metrics without a token, at /v1/sys/metrics and " +
		"with the scheme. What only a switch causes is a warning.",
	lenient: true, each: annotated,
}}

func annotated(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, server := range serverConfigs(c) {
		for _, p := range server.pods(c) {
			for _, prefix := range []string{"prometheus.io/", "gitlab.com/prometheus_"} {
				notes := p.meta.Annotations
				if notes[prefix+"scrape"] != "true" {
					continue
				}
				place := p.path + "metadata.annotations[" + prefix + "port]"
				port, _ := strconv.Atoi(notes[prefix+"port"])
				found := listenersAt(p, int32(port), c)
				if len(found) == 0 {
					all = append(all, at(p.object, place, "is "+cmp.Or(notes[prefix+"port"], "not there")+
						": no listener of OpenBao is at that port"))
				}
				for _, l := range found {
					for _, finding := range l.scrapedBy(p.object, strings.TrimSuffix(place, "port]"), map[string]any{
						"path": notes[prefix+"path"], "scheme": notes[prefix+"scheme"],
					}) {
						finding.Severity = "" // an annotation holds no token
						all = append(all, finding)
					}
				}
			}
		}
	}
	return all
}
