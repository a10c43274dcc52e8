package cluster

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// Server returns the container of a pod that runs OpenBao. A pod without it is an error that names
// those it has.
func Server(env *scenario.Env, p corev1.Pod) (*corev1.Container, error) {
	names := make([]string, 0, len(p.Spec.Containers))
	for i, c := range p.Spec.Containers {
		if c.Name == env.Container {
			return &p.Spec.Containers[i], nil
		}
		names = append(names, c.Name)
	}
	return nil, fmt.Errorf("pod %s has no container %s, only %v", p.Name, env.Container, names)
}

// Get is a GET request to a pod as the kubelet or Prometheus makes it.
type Get struct {
	Scheme string // "" is http
	Port   int
	Path   string // with its query
}

// Probed is the request of an HTTP probe. Named ports are looked up in the container.
func Probed(c *corev1.Container, probe *corev1.HTTPGetAction) Get {
	port := probe.Port.IntValue()
	for _, p := range c.Ports {
		if p.Name == probe.Port.String() {
			port = int(p.ContainerPort)
		}
	}
	g := Get{Port: port, Path: probe.Path}
	if probe.Scheme == corev1.URISchemeHTTPS {
		g.Scheme = "https"
	}
	return g
}

// proxied is a request to a pod's port through the API server's proxy.
func proxied(env *scenario.Env, pod string, g Get) *rest.Request {
	return env.Kube.CoreV1().RESTClient().Get().Namespace(env.Namespace).Resource("pods").
		Name(net.JoinSchemeNamePort(g.Scheme, pod, strconv.Itoa(g.Port))).SubResource("proxy")
}

// Ask makes the request through the API server's proxy, which reaches pods in any state. A refusal
// is a status and no error.
func Ask(ctx context.Context, env *scenario.Env, pod string, g Get) (status int, body []byte, err error) {
	at, err := url.Parse(g.Path)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, env.Timeouts.Fetch)
	defer cancel()
	request := proxied(env, pod, g).Suffix(at.Path)
	for key, values := range at.Query() {
		for _, value := range values {
			request = request.Param(key, value)
		}
	}
	result := request.Do(ctx)
	result.StatusCode(&status)
	body, err = result.Raw()
	if err != nil && status < http.StatusBadRequest {
		return status, nil, fmt.Errorf("GET %s of pod %s: %w", g.Path, pod, err)
	}
	return status, body, nil
}
