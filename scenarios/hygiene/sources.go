package hygiene

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// helmRelease is the type of the Secrets in which Helm 3 keeps releases.
const helmRelease = "helm.sh/release.v1"

// namespace searches everything in a namespace that operators read or ship
// elsewhere: container logs (also of the previous container), events, ConfigMaps
// and Helm's release records. It returns how many logs it read.
func (s *scanner) namespace(ctx context.Context, kube kubernetes.Interface, namespace string) (found []finding,
	logs int, err error,
) {
	if found, logs, err = s.logs(ctx, kube, namespace); err != nil {
		return found, logs, err
	}
	list := metav1.ListOptions{}
	events, err := kube.CoreV1().Events(namespace).List(ctx, list)
	if err != nil {
		return found, logs, fmt.Errorf("events of %s: %w", namespace, err)
	}
	maps, err := kube.CoreV1().ConfigMaps(namespace).List(ctx, list)
	if err != nil {
		return found, logs, fmt.Errorf("ConfigMaps of %s: %w", namespace, err)
	}
	texts := map[string]any{"events of " + namespace: events.Items}
	for _, m := range maps.Items {
		texts["ConfigMap "+namespace+"/"+m.Name] = []any{m.Data, m.BinaryData, m.ObjectMeta}
	}
	for source, content := range texts {
		raw, err := json.Marshal(content)
		if err != nil {
			return found, logs, fmt.Errorf("%s: %w", source, err)
		}
		more, err := s.scan(source, bytes.NewReader(raw))
		found = append(found, more...)
		if err != nil {
			return found, logs, err
		}
	}
	more, err := s.releases(ctx, kube, namespace)
	return append(found, more...), logs, err
}

func (s *scanner) logs(ctx context.Context, kube kubernetes.Interface, namespace string) (found []finding, logs int,
	err error,
) {
	pods, err := kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, 0, fmt.Errorf("pods of %s: %w", namespace, err)
	}
	for _, pod := range pods.Items {
		for _, c := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			for _, previous := range []bool{false, true} {
				if previous && c.RestartCount == 0 || !previous && c.State.Running == nil && c.State.Terminated == nil {
					continue // there is no such log
				}
				source := fmt.Sprintf("log of %s/%s/%s (previous: %t)", namespace, pod.Name, c.Name, previous)
				r, err := kube.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
					Container: c.Name, Previous: previous,
				}).Stream(ctx)
				if err != nil {
					if previous { // the kubelet may have collected it
						continue
					}
					return found, logs, fmt.Errorf("%s: %w", source, err)
				}
				more, err := s.scan(source, r)
				_ = r.Close()
				found = append(found, more...)
				if err != nil {
					return found, logs, err
				}
				logs++
			}
		}
	}
	return found, logs, nil
}

// kept searches the logs that were followed since the install, those of containers that are gone
// included. It returns how many there were, and what is missing of them.
func (s *scanner) kept(logs scenario.PodLogs) (found []finding, read int, gaps []string, err error) {
	if logs == nil {
		return nil, 0, nil, nil
	}
	gaps, err = logs.Each(func(source string, log io.Reader) error {
		read++
		more, err := s.scan(source, log)
		found = append(found, more...)
		return err
	})
	return found, read, gaps, err
}

// releases searches Helm's records: values, rendered manifests and notes.
func (s *scanner) releases(ctx context.Context, kube kubernetes.Interface, namespace string) (found []finding,
	err error,
) {
	secrets, err := kube.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=" + helmRelease})
	if err != nil {
		return nil, fmt.Errorf("reading Helm releases in %s: %w", namespace, err)
	}
	for _, secret := range secrets.Items {
		if secret.Type != helmRelease {
			continue
		}
		source := "Helm release " + namespace + "/" + secret.Name
		raw, err := decodeRelease(secret.Data["release"])
		if err != nil {
			return found, fmt.Errorf("%s: %w", source, err)
		}
		more, err := s.scan(source, bytes.NewReader(raw))
		found = append(found, more...)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// decodeRelease decodes Helm's base64 and gzip. The JSON inside has chart files in base64, which
// the scanner's encodings cover.
func decodeRelease(data []byte) ([]byte, error) {
	zipped, err := base64.StdEncoding.DecodeString(string(data))
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, fmt.Errorf("not gzip: %w", err)
	}
	return io.ReadAll(io.LimitReader(r, 64<<20))
}

// directory searches every regular file below dir, gzipped ones unpacked.
func (s *scanner) directory(dir string) (found []finding, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, _ := filepath.Rel(dir, path) // path is below dir
		more, err := s.file("run directory: "+name, path)
		found = append(found, more...)
		return err
	})
	if err != nil {
		return found, fmt.Errorf("run directory: %w", err)
	}
	return found, nil
}

func (s *scanner) file(source, path string) ([]finding, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if !strings.HasSuffix(path, ".gz") {
		return s.scan(source, f)
	}
	r, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return s.scan(source, r)
}
