package cluster

import (
	"context"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
)

// API is a request to a pod at the port to which the active Service leads. Its path is the
// caller's.
func API(ctx context.Context, env *scenario.Env, p corev1.Pod) (Get, error) {
	c, err := Server(env, p)
	if err != nil {
		return Get{}, err
	}
	service, err := env.Kube.CoreV1().Services(env.Namespace).Get(ctx, env.Active, metav1.GetOptions{})
	if err != nil {
		return Get{}, err
	}
	if len(service.Spec.Ports) == 0 {
		return Get{}, fmt.Errorf("service %s has no port", env.Active)
	}
	to := Probed(c, &corev1.HTTPGetAction{Port: service.Spec.Ports[0].TargetPort})
	to.Scheme = env.Scheme()
	return to, nil
}

// Client returns a client that reaches one OpenBao pod through the API server's proxy, whatever
// its role, as API does. It follows no redirect.
func Client(ctx context.Context, env *scenario.Env, p corev1.Pod) (*openbao.Client, error) {
	to, err := API(ctx, env, p)
	if err != nil {
		return nil, err
	}
	api, ok := env.Kube.CoreV1().RESTClient().(*rest.RESTClient)
	if !ok || api.Client == nil {
		return nil, fmt.Errorf("the Kubernetes client of type %T has no connection", env.Kube)
	}
	own := *api.Client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return env.Kind.Client(proxied(env, p.Name, to).URL().String(), &own), nil
}
