package topology

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/secret"
)

// helmRelease is the type of the Secrets that Helm keeps its records in. They are packed
// manifests: what is secret in them is in other Secrets.
const helmRelease = "helm.sh/release.v1"

// LearnSecrets has the process withhold the data of all Secrets in the environment's namespaces,
// whoever made them.
func (e *Environment) LearnSecrets(ctx context.Context) error {
	for _, namespace := range e.namespaces() {
		list, err := e.Cluster.Client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{FieldSelector: "type!=" +
			helmRelease})
		if err != nil {
			return fmt.Errorf("secrets of namespace %s, which have to be known to be withheld: %w", namespace, err)
		}
		for _, found := range list.Items {
			if found.Type != helmRelease {
				secret.LearnSecret(found.Data)
			}
		}
	}
	return nil
}

// learning runs what changes Secrets, and learns them before anybody reads its error.
func (e *Environment) learning(ctx context.Context, change func() error) error {
	err := change()
	if unknown := e.LearnSecrets(ctx); unknown != nil && err == nil && ctx.Err() == nil {
		return unknown
	}
	return err
}

// learnRendered has the process withhold the data of the Secrets that a chart renders: an error of
// an install may quote them.
func learnRendered(files map[string]string) {
	objects, _ := chart.Objects(chart.Documents(files)) // what no objects can be made of, the fit says
	for _, o := range objects {
		var found struct {
			Data       map[string]string `json:"data"`
			StringData map[string]string `json:"stringData"`
		}
		if o.GetKind() != "Secret" || chart.As(o, &found) != nil {
			continue
		}
		data := map[string][]byte{}
		for key, encoded := range found.Data {
			raw, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				raw = []byte(encoded) // the chart forgot to encode it, and the API server will quote it
			}
			data[key] = raw
		}
		for key, text := range found.StringData {
			data[key] = []byte(text)
		}
		secret.LearnSecret(data)
	}
}

// learnPod has the process withhold what a pod's variables with a sensitive name hold in clear.
func learnPod(pod *corev1.Pod) {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, variable := range container.Env {
			secret.LearnValues(map[string]any{variable.Name: variable.Value})
		}
	}
}

// errUnknown is returned where diagnostics are not saved because it is not known what they may not
// hold.
var errUnknown = errors.New("no diagnostics were saved")
