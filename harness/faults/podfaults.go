package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/wait"
)

// onPods are the faults of pods, by the names of kinds.
var onPods = map[string]do{
	"term-active":        (*nemesis).podTerm,
	"kill-active":        (*nemesis).podKill,
	"freeze-active":      (*nemesis).podFreeze,
	"freeze-late":        (*nemesis).podFreeze,
	"pause-active":       (*nemesis).podPause,
	"term-standby":       (*nemesis).podTerm,
	"kill-standby":       (*nemesis).podKill,
	"pause-standby":      (*nemesis).podPause,
	"term-all":           onAll((*nemesis).podTerm),
	"kill-all":           onAll((*nemesis).podKill),
	"pause-all":          onAll((*nemesis).podPause),
	"step-down":          (*nemesis).stepDown,
	"seal-active":        (*nemesis).podSeal,
	"pg-terminate":       (*nemesis).podPgTerminate,
	"pg-crash":           (*nemesis).podPgCrash,
	"pg-read-only":       (*nemesis).podPgReadOnly,
	"pod-delete-active":  (*nemesis).podDelete,
	"pod-delete-standby": (*nemesis).podDelete,
	"drain":              (*nemesis).drain,
	"config-change":      (*nemesis).change,
	"net-db-drop":        (*nemesis).netDatabaseDrop,
	"net-db-reset":       (*nemesis).netDatabaseReset,
	"net-pods-drop":      (*nemesis).netPodsDrop,
}

// healTime bounds how long it may take to end a fault, also after an interrupt.
const healTime = time.Minute

// afterwards is a context in which a fault is ended, whatever became of ctx.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), healTime)
}

// until waits for what Kubernetes does.
func (n *nemesis) until(ctx context.Context, what string, probe func(context.Context) error) error {
	_, err := wait.Until(ctx, wait.For{What: what, Deadline: recoverTime + n.patience()}, probe)
	return err
}

// gone waits until pods do not exist any more.
func (n *nemesis) gone(ctx context.Context, all ...*podInfo) error {
	return n.until(ctx, "the pods are gone", func(context.Context) error {
		for _, pod := range all {
			if n.pods.has(pod) {
				return fmt.Errorf("pod %s exists", pod.name)
			}
		}
		return nil
	})
}

// places are the pods that are in the places now.
func (n *nemesis) places() []*podInfo {
	all := make([]*podInfo, len(n.nodes))
	for i, node := range n.nodes {
		all[i] = node.at.Load()
	}
	return all
}

// lost waits for another term, if the victim led.
func (n *nemesis) lost(ctx context.Context, before string, led bool, length time.Duration) error {
	if led {
		if err := n.takenOver(ctx, before); err != nil {
			return err
		}
	}
	return wait.Pause(ctx, length)
}

func (n *nemesis) podTerm(ctx context.Context, victim *node, s Step) (string, error) {
	return n.podEnd(ctx, victim, s, "TERM")
}

func (n *nemesis) podKill(ctx context.Context, victim *node, s Step) (string, error) {
	return n.podEnd(ctx, victim, s, "KILL")
}

// mostRestarts is how often Kubernetes starts a container again before its pod is deleted: it
// waits 10 s before the second time, and twice as long each further time.
const mostRestarts = 2

// podEnd ends OpenBao in a pod by a signal. Kubernetes starts it again, or a new pod.
func (n *nemesis) podEnd(ctx context.Context, victim *node, s Step, signal string) (string, error) {
	at, before, led := victim.at.Load(), n.held(), n.leads() == victim
	restarts := n.pods.restartsOf(at)
	if err := n.pods.Signal(ctx, at.name, signal); err != nil {
		return "", err
	}
	err := n.until(ctx, "the container ends", func(context.Context) error {
		pod := n.pods.now(at)
		status := n.pods.status(&pod)
		if n.pods.has(at) && status != nil && status.RestartCount == restarts && status.State.Running != nil {
			return errors.New("it still runs")
		}
		return nil
	})
	if err == nil {
		err = n.lost(ctx, before, led, time.Duration(s.Length))
	}
	if err == nil && restarts >= mostRestarts && n.pods.has(at) {
		err = n.remove(ctx, victim, healTime/2)
	}
	return history.Confirmed, err
}

// podFreeze stops OpenBao in the active pod until another leads, and has it go on.
func (n *nemesis) podFreeze(ctx context.Context, victim *node, s Step) (string, error) {
	return n.podStop(ctx, victim, s, true)
}

// podPause stops OpenBao in a pod for a while.
func (n *nemesis) podPause(ctx context.Context, victim *node, s Step) (string, error) {
	return n.podStop(ctx, victim, s, false)
}

func (n *nemesis) podStop(ctx context.Context, victim *node, s Step, loses bool) (proof string, err error) {
	late := s.Fault == "freeze-late"
	if late {
		n.grantLate(ctx, victim)
		defer n.waiting.Wait() // after it goes on
	}
	at, before := victim.at.Load(), n.held()
	restarts := n.pods.restartsOf(at)
	defer func() { // also where the run was interrupted
		ctx, cancel := afterwards(ctx)
		defer cancel()
		resumed := n.pods.Signal(ctx, at.name, "CONT")
		if n.pods.has(at) && n.pods.restartsOf(at) == restarts { // else its probe has ended it
			err = errors.Join(err, resumed)
		}
	}()
	if err := n.pods.Signal(ctx, at.name, "STOP"); err != nil {
		return "", err
	}
	proof = history.Inconclusive
	if stopped, err := n.pods.Stopped(ctx, at.name); err == nil && stopped {
		proof = history.Confirmed
	}
	err = n.lost(ctx, before, loses, 0)
	if err == nil && late {
		n.useLate(ctx, victim)
	}
	if err == nil {
		err = wait.Pause(ctx, time.Duration(s.Length))
	}
	return proof, err
}

// podDelete deletes a pod, with the step's length as its grace period.
func (n *nemesis) podDelete(ctx context.Context, victim *node, s Step) (string, error) {
	before, led := n.held(), n.leads() == victim
	if err := n.remove(ctx, victim, time.Duration(s.Length)); err != nil {
		return "", err
	}
	return history.Confirmed, n.lost(ctx, before, led, 0)
}

// remove deletes a node's pod and waits until it is gone.
func (n *nemesis) remove(ctx context.Context, victim *node, grace time.Duration) error {
	at := victim.at.Load()
	pod := n.pods.now(at)
	if err := n.pods.Delete(ctx, &pod, max(grace, time.Second)); err != nil {
		return err
	}
	return n.gone(ctx, at)
}

// podSeal seals the active pod until another leads, and deletes it: a new one unseals itself.
func (n *nemesis) podSeal(ctx context.Context, victim *node, s Step) (string, error) {
	before := n.held()
	proof, err := n.ask(ctx, victim, "sys/seal")
	if proof != history.Confirmed || err != nil {
		return proof, err
	}
	if h, err := victim.health(ctx); err != nil || !h.Sealed {
		proof = history.Inconclusive
	}
	if err := n.lost(ctx, before, true, time.Duration(s.Length)); err != nil {
		return "", err
	}
	return proof, n.remove(ctx, victim, healTime/2)
}

// drain evicts all pods as a drain of their nodes does, the active one first, each as soon as the
// chart's disruption budget allows it.
func (n *nemesis) drain(ctx context.Context, victim *node, _ Step) (string, error) {
	before, all := n.held(), n.places()
	all[0], all[victim.pod] = all[victim.pod], all[0]
	for _, at := range all {
		pod := n.pods.now(at)
		if err := n.until(ctx, "pod "+at.name+" can be evicted", func(ctx context.Context) error {
			err := n.pods.Evict(ctx, &pod)
			if apierrors.IsNotFound(err) {
				err = nil
			}
			return err
		}); err != nil {
			return "", err
		}
	}
	if err := n.gone(ctx, all...); err != nil {
		return "", err
	}
	return history.Confirmed, n.takenOver(ctx, before)
}

// change upgrades the release with another configuration, which replaces all pods.
func (n *nemesis) change(ctx context.Context, _ *node, _ Step) (string, error) {
	before, all := n.held(), n.places()
	if err := n.pods.Change(ctx); err != nil {
		return "", err
	}
	if err := n.gone(ctx, all...); err != nil {
		return "", err
	}
	return history.Confirmed, n.takenOver(ctx, before)
}

func (n *nemesis) netDatabaseDrop(ctx context.Context, victim *node, s Step) (string, error) {
	return n.cut(ctx, victim, s, false)
}

func (n *nemesis) netDatabaseReset(ctx context.Context, victim *node, s Step) (string, error) {
	return n.cut(ctx, victim, s, true)
}

func (n *nemesis) netPodsDrop(ctx context.Context, victim *node, s Step) (string, error) {
	var others []string
	for _, node := range n.nodes {
		if node != victim {
			other := n.pods.now(node.at.Load())
			others = append(others, other.Status.PodIP)
		}
	}
	return n.cut(ctx, victim, s, false, others...)
}

// cut cuts the active pod off from others, or from PostgreSQL, for a while.
func (n *nemesis) cut(ctx context.Context, victim *node, s Step, reset bool, others ...string) (string, error) {
	pod := n.pods.now(victim.at.Load())
	heal, err := n.pods.Cut(ctx, &pod, reset, others...)
	if err != nil {
		return "", err
	}
	err = wait.Pause(ctx, time.Duration(s.Length))
	ended, cancel := afterwards(ctx)
	defer cancel()
	met, healErr := heal(ended)
	return confirmed(met), errors.Join(err, healErr)
}

// podPgTerminate has PostgreSQL end the active pod's connections, and reads that they are gone.
// Where it does not know them by the pod's address, those of all pods.
func (n *nemesis) podPgTerminate(ctx context.Context, victim *node, _ Step) (string, error) {
	pod := n.pods.now(victim.at.Load())
	pids, err := n.terminated(ctx, " AND client_addr = '"+pod.Status.PodIP+"'")
	if err == nil && pids == "" {
		pids, err = n.terminated(ctx, "")
	}
	if err != nil || pids == "" {
		return history.Inconclusive, err
	}
	return history.Confirmed, n.until(ctx, "the connections are gone", func(ctx context.Context) error {
		left, err := n.pods.Exec(ctx, "SELECT count(*) FROM pg_stat_activity WHERE pid IN ("+pids+")")
		if err == nil && left != "0" {
			err = errors.New(left + " are left")
		}
		return err
	})
}

// terminated are the processes of connections that PostgreSQL says it ended.
func (n *nemesis) terminated(ctx context.Context, which string) (string, error) {
	return n.pods.Exec(ctx, "SELECT string_agg(pid::text, ',') FROM (SELECT pid FROM pg_stat_activity WHERE datname = "+
		"current_database() AND backend_type = 'client backend' AND application_name <> 'psql' AND pid <> pg_backend_pid()"+
		which+") AS all_of_them WHERE pg_terminate_backend(pid)")
}

func (n *nemesis) podPgCrash(ctx context.Context, _ *node, s Step) (string, error) {
	if err := n.pods.CrashDatabase(ctx); err != nil {
		return "", err
	}
	return history.Confirmed, wait.Pause(ctx, time.Duration(s.Length))
}

// podPgReadOnly has PostgreSQL refuse writes, and tries one.
func (n *nemesis) podPgReadOnly(ctx context.Context, _ *node, s Step) (proof string, err error) {
	set := func(ctx context.Context, statement string) error {
		_, err := n.pods.Exec(ctx, "ALTER SYSTEM "+statement)
		if err == nil {
			_, err = n.pods.Exec(ctx, "SELECT pg_reload_conf()")
		}
		return err
	}
	defer func() {
		ctx, cancel := afterwards(ctx)
		defer cancel()
		err = errors.Join(err, set(ctx, "RESET default_transaction_read_only"))
	}()
	if err := set(ctx, "SET default_transaction_read_only = on"); err != nil {
		return "", err
	}
	err = wait.Pause(ctx, time.Duration(s.Length))
	_, refused := n.pods.Exec(ctx, "DELETE FROM openbao_ha_locks WHERE false")
	proof = history.Inconclusive
	if refused != nil && strings.Contains(refused.Error(), "read-only transaction") {
		proof = history.Confirmed
	}
	return proof, err
}

// stuck reports whether Kubernetes starts every pod again and again, and each crashes.
func (n *nemesis) stuck() bool {
	for _, at := range n.places() {
		pod := n.pods.now(at)
		status := n.pods.status(&pod)
		if status == nil || status.State.Waiting == nil || status.State.Waiting.Reason != "CrashLoopBackOff" ||
			!n.pods.crashed(at) {
			return false
		}
	}
	return true
}
