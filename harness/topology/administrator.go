package topology

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// administrator reaches PostgreSQL through its own container, where the local socket asks for no
// password.
type administrator struct{ env *Environment }

var _ scenario.Database = administrator{}

// Database returns PostgreSQL as its administrator sees it.
func (e *Environment) Database() scenario.Database { return administrator{e} }

// Dump implements scenario.Database.
func (a administrator) Dump(ctx context.Context) ([]byte, error) {
	in := a.env.inputs().Database
	return a.run(ctx, nil, "pg_dump", "--username", in.User, "--no-owner", "--dbname", in.Name)
}

// Restore implements scenario.Database.
func (a administrator) Restore(ctx context.Context, dump []byte) error {
	in := a.env.inputs().Database
	_, err := a.run(ctx, nil, "psql", "--no-psqlrc", "--quiet", "--username", in.User, "--dbname", "postgres", "--set",
		"ON_ERROR_STOP=1",
		"--command", fmt.Sprintf("DROP DATABASE IF EXISTS %q WITH (FORCE)", in.Name), "--command",
		fmt.Sprintf("CREATE DATABASE %q", in.Name))
	if err != nil || len(dump) == 0 {
		return err
	}
	_, err = a.run(ctx, bytes.NewReader(dump), "psql", "--no-psqlrc", "--quiet", "--username", in.User, "--dbname",
		in.Name,
		"--set", "ON_ERROR_STOP=1", "--single-transaction", "--output", "/dev/null")
	return err
}

// Query implements scenario.Database.
func (a administrator) Query(ctx context.Context, sql string) (string, error) {
	in := a.env.inputs().Database
	out, err := a.run(ctx, nil, "psql", "--no-psqlrc", "--no-align", "--tuples-only", "--username", in.User, "--dbname",
		in.Name,
		"--set", "ON_ERROR_STOP=1", "--command", sql)
	return string(bytes.TrimSpace(out)), err
}

// onMachine reports whether PostgreSQL runs outside the cluster.
func (a administrator) onMachine() bool { return a.env.Spec.Topology == CloudNativeHybrid }

// pod is the name of the pod that runs PostgreSQL.
func (a administrator) pod(ctx context.Context) (string, error) {
	namespace := a.env.DatabaseNamespace()
	pods, err := a.env.Cluster.Client.CoreV1().Pods(namespace).List(ctx,
		metav1.ListOptions{LabelSelector: databaseSelector})
	if err != nil {
		return "", err
	}
	if len(pods.Items) == 0 {
		return "", errors.New("no pod runs PostgreSQL in namespace " + namespace)
	}
	return pods.Items[0].Name, nil
}

// run runs a program where PostgreSQL runs.
func (a administrator) run(ctx context.Context, input io.Reader, command ...string) ([]byte, error) {
	if a.onMachine() {
		args := []string{"exec", a.env.machine()}
		if input != nil {
			args = []string{"exec", "--interactive", a.env.machine()}
		}
		out, err := a.env.Engine.RunInput(ctx, input, append(args, command...)...)
		return []byte(out), err
	}
	pod, err := a.pod(ctx)
	if err != nil {
		return nil, err
	}
	return a.env.Cluster.Exec(ctx, a.env.DatabaseNamespace(), pod, databaseContainer, input, command...)
}

// DatabaseSession runs psql where PostgreSQL runs, as its administrator and connected to the
// database "postgres", until stdin ends. Answers come as bare lines; an error ends it. OpenBao's
// database is DatabaseName.
func (e *Environment) DatabaseSession(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	return administrator{e}.converse(ctx, "postgres", stdin, stdout)
}

// converse runs psql on a database until stdin ends.
func (a administrator) converse(ctx context.Context, database string, stdin io.Reader, stdout io.Writer) error {
	command := []string{
		"psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--username", a.env.inputs().Database.User,
		"--dbname", database,
		"--set", "ON_ERROR_STOP=1",
	}
	if a.onMachine() {
		return a.env.Engine.Converse(ctx, stdin, stdout, append([]string{"exec", "--interactive", a.env.machine()},
			command...)...)
	}
	pod, err := a.pod(ctx)
	if err != nil {
		return err
	}
	return a.env.Cluster.ExecStream(ctx, a.env.DatabaseNamespace(), pod, databaseContainer, stdin, stdout, command...)
}

// DatabaseName is the name of OpenBao's database.
func (e *Environment) DatabaseName() string { return e.inputs().Database.Name }
