package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// clockSkew is how far the nodes' clocks may be from this machine's.
const clockSkew = time.Minute

// tails follows the logs of the pods' containers as they grow, which costs less than reading them
// again at each poll and loses less to a kubelet that rotates them. Steamer's own clusters rotate
// late enough for a run; elsewhere the default is 10 MiB.
type tails struct {
	env   *scenario.Env
	since metav1.Time
	all   map[string]*tail // by container ID: one that restarts has a new log
}

// tail is what one log held so far.
type tail struct {
	mu  sync.Mutex
	log []byte
	err error // why nothing more comes; io.EOF when the container ended
}

func newTails(env *scenario.Env) *tails {
	return &tails{env: env, since: metav1.NewTime(time.Now().Add(-clockSkew)), all: map[string]*tail{}}
}

// follow begins to read the logs that are not yet read, until ctx ends. One whose reading failed
// is started again.
func (t *tails) follow(ctx context.Context) error {
	pods, err := cluster.Pods(ctx, t.env)
	if err != nil {
		return err
	}
	for _, p := range pods {
		for _, status := range p.Status.ContainerStatuses {
			if status.Name != t.env.Container || status.ContainerID == "" ||
				t.all[status.ContainerID].sound(status.State.Running != nil) {
				continue
			}
			stream, err := t.env.Kube.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{
				Container: t.env.Container, SinceTime: &t.since, Follow: true,
			}).Stream(ctx)
			if err != nil {
				return fmt.Errorf("log of pod %s: %w", p.Name, err)
			}
			begun := &tail{}
			t.all[status.ContainerID] = begun
			go begun.read(stream)
		}
	}
	return nil
}

// logs returns what the logs held so far.
func (t *tails) logs() [][]byte {
	var all [][]byte
	for _, one := range t.all {
		one.mu.Lock()
		all = append(all, one.log) // later lines are appended beyond its length
		one.mu.Unlock()
	}
	return all
}

// sound reports whether a tail exists and still reads, or has read the whole log of a container
// that no longer runs.
func (t *tail) sound(runs bool) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err == nil || !runs && errors.Is(t.err, io.EOF)
}

func (t *tail) read(stream io.ReadCloser) {
	defer stream.Close()
	part := make([]byte, 64<<10)
	for {
		n, err := stream.Read(part)
		t.mu.Lock()
		t.log = append(t.log, part[:n]...)
		t.err = err
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}
