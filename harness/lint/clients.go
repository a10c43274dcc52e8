package lint

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

var clientsRules = []Rule{{
	ID: "security/clients", Title: "a client that has a certificate checks it", Severity: Error,
	Protects: "BAO_SKIP_VERIFY wins over BAO_CACERT: a test that seems to check the listener's certificate takes any.",
	Hint:     "set BAO_SKIP_VERIFY only where there is no certificate to check",
	Detail: "Finds containers that set BAO_SKIP_VERIFY or VAULT_SKIP_VERIFY beside BAO_CACERT, BAO_CAPATH or " +
		"BAO_TLS_SERVER_NAME (or VAULT_...).",
	object: clients,
}}

func clients(_ *subject, o *Object) []Finding {
	p := o.pod()
	if p == nil {
		return nil
	}
	var all []Finding
	p.containers(func(path string, c *corev1.Container) {
		value := func(names ...string) string {
			for _, variable := range c.Env {
				if slices.Contains(names, variable.Name) {
					return variable.Value
				}
			}
			return ""
		}
		skips := value("BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY")
		if skips != "" && skips != "false" && skips != "0" && value("BAO_CACERT", "BAO_CAPATH", "BAO_TLS_SERVER_NAME",
			"VAULT_CACERT", "VAULT_CAPATH", "VAULT_TLS_SERVER_NAME") != "" {
			all = append(all, at(o, path+".env", "names what a certificate is checked by, and switches the check off"))
		}
	})
	return all
}
