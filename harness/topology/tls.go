package topology

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/secret"
)

// Scheme is what OpenBao's API and metrics are served by: "http" or "https".
func (e *Environment) Scheme() string {
	if e.Spec.TLS {
		return "https"
	}
	return "http"
}

// CA is the certificate authority of the API's certificate, in PEM; nil without Spec.TLS.
func (e *Environment) CA() []byte {
	if e.listener == nil {
		return nil
	}
	return e.listener.ca
}

// Client is a client for Address that keeps its connections. Close it when done.
func (e *Environment) Client() *openbao.Client {
	return e.Kind().Client(e.Address, openbao.Trusting(true, e.CA()))
}

// healthProbe asks a pod for its health, as the forward to it does before it takes part.
func (e *Environment) healthProbe() cluster.Probe {
	return cluster.Probe{
		Scheme: e.Scheme(), Path: "/v1/sys/health", Client: openbao.Trusting(false, e.CA()),
	}
}

// serveTLS makes the certificate of an environment with TLS, and has the values serve it: by the
// dialect's change, where it has one, and by what its values do with Inputs.TLSSecret. The error
// is of code exit.Invalid where the dialect or the chart has neither.
func (e *Environment) serveTLS(values map[string]any) (map[string]any, error) {
	if !e.Spec.TLS {
		return values, nil
	}
	d := e.Spec.Dialect
	switch {
	case d.able(scenario.ChangeListenerTLS, e.Spec.Chart):
		change, err := d.Change(scenario.ChangeListenerTLS, map[string]any{"secret": listenerSecret})
		if err != nil {
			return nil, err
		}
		if path, undone := overridden(change, e.Spec.Overrides); undone {
			return nil, exit.Invalidf("--tls with "+path, "leave one of the two out",
				"your values replace what has chart %s serve TLS", e.Spec.Chart.Info().Name)
		}
		values = chart.Merge(values, change)
	case !strings.Contains(d.Values, ".TLSSecret"):
		info := e.Spec.Chart.Info()
		return nil, exit.Invalidf("--tls with --dialect "+d.Name,
			"leave --tls out, or add the change "+scenario.ChangeListenerTLS+" to the dialect: docs/dialects.md",
			"dialect %s cannot have chart %s %s serve TLS", d.Name, info.Name, info.Version)
	}
	var err error
	e.listener, err = newAuthority(e.listenerNames()...)
	if err == nil {
		secret.Learn(string(e.listener.key))
	}
	return values, err
}

// overridden finds the first key path of change, in the order of its names, to which overrides
// give another value.
func overridden(change, overrides map[string]any) (path string, found bool) {
	for _, key := range slices.Sorted(maps.Keys(change)) {
		above, set := overrides[key]
		if !set {
			continue
		}
		below, isMap := change[key].(map[string]any)
		over, alsoMap := above.(map[string]any)
		if !isMap || !alsoMap {
			if !reflect.DeepEqual(change[key], above) {
				return key, true
			}
			continue
		}
		if path, found = overridden(below, over); found {
			return key + "." + path, true
		}
	}
	return "", false
}

// listenerNames are the names of every Service in the namespace, of the pods, and of loopback,
// where forwards and node ports end.
func (e *Environment) listenerNames() []string {
	names := []string{
		e.Spec.Dialect.ActiveService, e.Spec.Dialect.Release, ownService,
		"*." + e.Namespace + ".pod.cluster.local", "localhost", "127.0.0.1", "::1",
	}
	headless := e.Spec.Dialect.Release + "-internal" // gives the pods of a StatefulSet their names
	for _, end := range []string{"", ".svc", ".svc.cluster.local"} {
		domain := e.Namespace + end
		names = append(names, "*."+domain, "*."+headless+"."+domain)
	}
	return names
}

// createListenerSecret makes the Secret with the API's certificate, if there is one.
func (e *Environment) createListenerSecret(ctx context.Context) error {
	if e.listener == nil {
		return nil
	}
	return e.createSecret(ctx, e.Namespace, listenerSecret, map[string][]byte{
		"ca.crt": e.listener.ca, "tls.crt": e.listener.certificate, "tls.key": e.listener.key,
	})
}
