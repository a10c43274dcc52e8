package cluster

import (
	"context"
	"crypto/rand"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// NewUnsealKey makes a random static unseal key, for AES-256.
func NewUnsealKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

// UnsealKey reads the static unseal key. Its errors never hold it.
func UnsealKey(ctx context.Context, env *scenario.Env) ([]byte, error) {
	secret, err := env.Kube.CoreV1().Secrets(env.Namespace).Get(ctx, env.Unseal.Secret, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("unseal key: %w", err)
	}
	key := secret.Data[env.Unseal.Key]
	if len(key) == 0 {
		return nil, fmt.Errorf("unseal key: Secret %s has no key %s", env.Unseal.Secret, env.Unseal.Key)
	}
	return key, nil
}

// PutUnsealKey writes the static unseal key into the Secret from which the chart reads it, and
// creates the Secret if it does not exist.
func PutUnsealKey(ctx context.Context, env *scenario.Env, key []byte) error {
	all := env.Kube.CoreV1().Secrets(env.Namespace)
	secret, err := all.Get(ctx, env.Unseal.Secret, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = all.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: env.Unseal.Secret}, Data: map[string][]byte{env.Unseal.Key: key},
		}, metav1.CreateOptions{})
	case err == nil:
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[env.Unseal.Key] = key
		_, err = all.Update(ctx, secret, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("unseal key: %w", err)
	}
	return nil
}
