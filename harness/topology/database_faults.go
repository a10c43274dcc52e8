package topology

import (
	"context"
	"errors"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/wait"
)

// checkpointer is a process that PostgreSQL always has: its ID and when it started.
const checkpointer = "SELECT pid, backend_start FROM pg_stat_activity WHERE backend_type = 'checkpointer'"

// restartPoll is the pause between two looks at a database that starts: a start takes about a
// second.
const restartPoll = 100 * time.Millisecond

// Restart implements scenario.Database. The machine's container is restarted in order. In a pod
// PostgreSQL crashes: a container that ends would be held back longer each time, and a new pod has
// no data.
func (a administrator) Restart(ctx context.Context) error {
	if !a.onMachine() {
		return a.crash(ctx)
	}
	err := a.again(ctx, func(string) error {
		_, err := a.env.Engine.Run(ctx, "restart", a.env.machine())
		if err == nil {
			err = a.env.fillMachine(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.env.followMachine(ctx)
}

// CrashDatabase kills one of PostgreSQL's processes, upon which it ends all others and recovers.
// It returns when PostgreSQL accepts connections again.
func (e *Environment) CrashDatabase(ctx context.Context) error { return administrator{e}.crash(ctx) }

func (a administrator) crash(ctx context.Context) error {
	return a.again(ctx, func(pid string) error {
		_, err := a.run(ctx, nil, "sh", "-c", `kill -KILL "$1"`, "kill", pid)
		return err
	})
}

// again ends PostgreSQL's checkpointer, or more, and waits until there is another one.
func (a administrator) again(ctx context.Context, end func(checkpointer string) error) error {
	before, err := a.Query(ctx, checkpointer)
	if err != nil {
		return err
	}
	pid, _, _ := strings.Cut(before, "|")
	if err := end(pid); err != nil {
		return err
	}
	_, err = wait.Until(ctx, wait.For{
		What: "PostgreSQL has started again", Interval: restartPoll,
		Deadline: databaseTimeout,
	}, func(ctx context.Context) error {
		now, err := a.Query(ctx, checkpointer)
		if err == nil && (now == "" || now == before) {
			err = errors.New("it still runs as before")
		}
		return err
	})
	return err
}

// Pause implements scenario.Database.
func (a administrator) Pause(ctx context.Context) error { return a.hold(ctx, "STOP") }

// Resume implements scenario.Database.
func (a administrator) Resume(ctx context.Context) error { return a.hold(ctx, "CONT") }

// hold sends every process of the database a signal. Pausing the container would be shorter, but a
// program that Docker starts in it at that moment waits to be thawed while Docker holds its lock of
// the container, so that nobody can thaw it (seen with 20.10).
func (a administrator) hold(ctx context.Context, signal string) error {
	if !a.onMachine() {
		pod, err := a.pod(ctx)
		if err != nil {
			return err
		}
		return a.env.Processes().Signal(ctx, a.env.DatabaseNamespace(), pod, databaseContainer, signal)
	}
	// The first process, which no signal from within stops, and then all others.
	_, err := a.env.Engine.Run(ctx, "kill", "--signal", signal, a.env.machine())
	if err == nil {
		_, err = a.env.Engine.Run(ctx, "exec", a.env.machine(), "sh", "-c", "kill -"+signal+" -1")
	}
	return err
}

// followMachine leads the Service to the machine's address, which a restart may have changed.
func (e *Environment) followMachine(ctx context.Context) error {
	ip, err := e.machineAddress(ctx)
	if err != nil {
		return err
	}
	all := e.Cluster.Client.DiscoveryV1().EndpointSlices(e.Namespace)
	slice, err := all.Get(ctx, machineSlice, metav1.GetOptions{})
	if err != nil {
		return err
	}
	slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{ip}}}
	_, err = all.Update(ctx, slice, metav1.UpdateOptions{})
	return err
}
