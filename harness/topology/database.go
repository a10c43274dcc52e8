package topology

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/secret"
)

// databaseTimeout bounds how long PostgreSQL may take to accept connections.
const databaseTimeout = 3 * time.Minute

// databaseContainer is the container of that pod that runs PostgreSQL.
const databaseContainer = "postgresql"

// machineSlice is the EndpointSlice that leads to the machine outside the cluster.
const machineSlice = "postgresql-machine"

// databaseSelector matches the pod that charts/postgresql makes.
const databaseSelector = "app.kubernetes.io/name=postgresql"

// installDatabase makes the password and brings up PostgreSQL where the topology has it.
func (e *Environment) installDatabase(ctx context.Context) error {
	if e.Spec.Dialect.Raft {
		return nil
	}
	password, err := randomHex(16)
	if err != nil {
		return err
	}
	for _, namespace := range e.namespaces() {
		if err := e.createSecret(ctx, namespace, passwordSecret,
			map[string][]byte{"password": []byte(password)}); err != nil {
			return err
		}
	}
	if e.Spec.Topology == CloudNativeHybrid {
		return e.startMachine(ctx, password)
	}
	e.Log("installing PostgreSQL as a pod")
	helm, err := chart.NewClient(e.Cluster.Kubeconfig, e.Cluster.Context, e.DatabaseNamespace(), nil)
	if err != nil {
		return err
	}
	if err = helm.Install(ctx, "postgresql", e.Spec.Fixtures.PostgreSQL, e.databaseValues()); err != nil {
		return err
	}
	return e.awaitPods(ctx, e.DatabaseNamespace(), databaseSelector, 1, databaseTimeout)
}

// createTables makes what the server expects in PostgreSQL and does not make itself.
func (e *Environment) createTables(ctx context.Context) error {
	if e.Kind() != openbao.KindVault || e.Spec.Dialect.Raft {
		return nil
	}
	e.Log("making Vault's tables in PostgreSQL")
	if _, err := e.Database().Query(ctx, openbao.VaultTables); err != nil {
		return exit.Environmentf("tables of Vault", "", "%w", err)
	}
	return nil
}

// databaseValues are the values of PostgreSQL's chart.
func (e *Environment) databaseValues() map[string]any {
	repository, tag := splitRef(e.Spec.Images.PostgreSQL)
	return map[string]any{
		"image": map[string]any{"repository": repository, "tag": tag},
		"auth":  map[string]any{"existingSecret": passwordSecret, "secretKey": "password"},
	}
}

func randomHex(bytes int) (string, error) {
	raw := make([]byte, bytes)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	return hex.EncodeToString(raw), nil
}

func (e *Environment) createSecret(ctx context.Context, namespace, name string, data map[string][]byte) error {
	for _, value := range data {
		secret.Learn(string(value))
	}
	_, err := e.Cluster.Client.CoreV1().Secrets(namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{OwnerLabel: e.Spec.Run}}, Data: data,
	}, metav1.CreateOptions{})
	if err != nil {
		return exit.Environmentf("Secret "+namespace+"/"+name, "", "%w", err)
	}
	return nil
}

// createExtraSecrets makes what the dialect says the chart expects to find.
func (e *Environment) createExtraSecrets(ctx context.Context) error {
	for _, wanted := range e.Spec.Dialect.Secrets {
		raw := make([]byte, wanted.Bytes)
		if _, err := rand.Read(raw); err != nil {
			return err
		}
		if err := e.createSecret(ctx, e.Namespace, wanted.Name, map[string][]byte{wanted.Key: raw}); err != nil {
			return err
		}
	}
	return nil
}

// awaitPods waits until exactly count pods match the selector and all are Ready.
func (e *Environment) awaitPods(ctx context.Context, namespace, selector string, count int,
	timeout time.Duration,
) error {
	return await(ctx, timeout, fmt.Sprintf("pods %s in namespace %s", selector, namespace),
		func(ctx context.Context) error {
			pods, err := e.Cluster.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
			if err != nil {
				return err
			}
			if len(pods.Items) != count {
				return fmt.Errorf("%d pods, want %d", len(pods.Items), count)
			}
			for _, pod := range pods.Items {
				if !cluster.PodReady(pod) {
					return fmt.Errorf("pod %s is not Ready: %s", pod.Name, podState(pod))
				}
			}
			return nil
		})
}

// exposeMachine gives the machine outside the cluster a name inside it: a Service without a
// selector, as one would for any database that GitLab's cloud-native hybrid reference architecture
// keeps outside.
func (e *Environment) exposeMachine(ctx context.Context, ip string) error {
	meta := metav1.ObjectMeta{Name: "postgresql", Labels: map[string]string{OwnerLabel: e.Spec.Run}}
	_, err := e.Cluster.Client.CoreV1().Services(e.Namespace).Create(ctx, &corev1.Service{
		ObjectMeta: meta,
		Spec: corev1.ServiceSpec{
			Ports: []corev1.ServicePort{{Name: "postgresql", Port: 5432}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return exit.Environmentf("Service postgresql", "", "%w", err)
	}
	port, name := int32(5432), "postgresql"
	slice := meta.DeepCopy()
	slice.Name = machineSlice
	slice.Labels[discoveryv1.LabelServiceName] = "postgresql"
	_, err = e.Cluster.Client.DiscoveryV1().EndpointSlices(e.Namespace).Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta: *slice, AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{ip}}},
		Ports:     []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
	}, metav1.CreateOptions{})
	if err != nil {
		return exit.Environmentf("EndpointSlice "+machineSlice, "", "%w", err)
	}
	return nil
}
