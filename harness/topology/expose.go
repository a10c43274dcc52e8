package topology

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/exit"
)

// ownService is the Service that gives the active pod the node port which the chart's own Service
// cannot have.
const ownService = "steamer-active"

// exposeActive makes a NodePort Service that selects what the chart's active Service selects.
// Requests take the same way through kube-proxy; readiness is judged on the chart's Service.
func (e *Environment) exposeActive(ctx context.Context) error {
	services := e.Cluster.Client.CoreV1().Services(e.Namespace)
	if _, err := services.Get(ctx, ownService, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return err // an install after an uninstall finds it
	}
	name := e.Spec.Dialect.ActiveService
	e.Log("Service " + name + " has no key for its node port: Service " + ownService + " beside it has it")
	active, err := services.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return exit.Environmentf("Service "+name, "", "%w", err)
	}
	i := slices.IndexFunc(active.Spec.Ports, func(p corev1.ServicePort) bool {
		return p.TargetPort.IntValue() == e.Spec.Dialect.apiPort() || int(p.Port) == e.Spec.Dialect.apiPort()
	})
	if i < 0 || len(active.Spec.Selector) == 0 {
		return exit.Environmentf("Service "+name, "correct apiPort in the dialect", "it selects no pods, or has no port %d",
			e.Spec.Dialect.apiPort())
	}
	_, err = services.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: ownService, Labels: map[string]string{OwnerLabel: e.Spec.Run}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, Selector: active.Spec.Selector,
			PublishNotReadyAddresses: active.Spec.PublishNotReadyAddresses,
			Ports: []corev1.ServicePort{{
				Name: "api", Port: active.Spec.Ports[i].Port, TargetPort: active.Spec.Ports[i].TargetPort,
				NodePort: int32(e.Spec.NodePort),
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return exit.Environmentf("Service "+ownService, "", "%w", err)
	}
	return nil
}
