package topology

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
)

// machine is the name of the container that stands for a database machine outside the cluster.
func (e *Environment) machine() string {
	return "steamer-" + e.Cluster.Name + "-postgresql" + e.Spec.Suffix
}

// MachineName is the name of the container that runs PostgreSQL in the hybrid topology.
func (e *Environment) MachineName() string { return e.machine() }

// postgresUID is the user that the official image and ours run PostgreSQL as.
const postgresUID = 999

// startMachine runs PostgreSQL in a container on the cluster's network, with TLS from a CA made for this
// run. Password and key travel through a pipe into the container's file system: no argument, no
// environment and no file of the host ever holds them.
func (e *Environment) startMachine(ctx context.Context, password string) error {
	if e.Engine == nil {
		return exit.Invalidf("topology "+CloudNativeHybrid, "use --topology "+CloudNative+", or a kind cluster",
			"an existing cluster gives Steamer no engine to run PostgreSQL outside it")
	}
	e.Log("starting PostgreSQL in a container outside the cluster, with TLS")
	host := e.inputs().Database.Host
	authority, err := newAuthority(e.machine(), host)
	if err != nil {
		return err
	}
	if err := e.createSecret(ctx, e.Namespace, caSecret, map[string][]byte{"ca.crt": authority.ca}); err != nil {
		return err
	}
	create := []string{"create", "--name", e.machine(), "--network", "kind", "--label", OwnerLabel + "=" + e.Spec.Run}
	for _, label := range e.Cluster.MachineLabels() {
		create = append(create, "--label", label)
	}
	_, err = e.Engine.Run(ctx, append(create,
		"--env", "POSTGRES_USER=openbao", "--env", "POSTGRES_DB=openbao", "--env", "POSTGRES_PASSWORD_FILE=/run/steamer/password",
		e.Spec.Images.PostgreSQL, "postgres", "-c", "ssl=on",
		"-c", "ssl_cert_file=/run/steamer/tls.crt", "-c", "ssl_key_file=/run/steamer/tls.key",
		"-c", "shared_preload_libraries=pg_stat_statements", "-c", "max_connections=100")...)
	if err != nil {
		return exit.Environmentf("container "+e.machine(), "steamer cluster gc", "%w", err)
	}
	files, err := archive(map[string][]byte{"password": []byte(password), "tls.crt": authority.certificate, "tls.key": authority.key})
	if err != nil {
		return err
	}
	if _, err := e.Engine.RunInput(ctx, bytes.NewReader(files), "cp", "--archive", "-", e.machine()+":/run"); err != nil {
		return exit.Environmentf("container "+e.machine(), "", "%w", err)
	}
	if _, err := e.Engine.Run(ctx, "start", e.machine()); err != nil {
		return exit.Environmentf("container "+e.machine(), "", "%w", err)
	}
	err = await(ctx, DatabaseTimeout, "PostgreSQL in container "+e.machine(), func(ctx context.Context) error {
		_, err := e.Engine.Run(ctx, "exec", e.machine(), "pg_isready", "--host", "127.0.0.1", "--username", "openbao", "--quiet")
		return err
	})
	if err != nil {
		return err
	}
	ip, err := e.machineAddress(ctx)
	if err != nil {
		return err
	}
	return e.exposeMachine(ctx, ip)
}

// machineAddress is the machine's address on the cluster's network.
func (e *Environment) machineAddress(ctx context.Context) (string, error) {
	out, err := e.Engine.Run(ctx, "inspect", "--format", "{{.NetworkSettings.Networks.kind.IPAddress}}", e.machine())
	ip := strings.TrimSpace(out)
	if err == nil && ip == "" {
		err = errors.New("it has no address on the cluster's network")
	}
	if err != nil {
		return "", exit.Environmentf("container "+e.machine(), "", "%w", err)
	}
	return ip, nil
}

// archive is a tar of private files in the directory steamer, owned by PostgreSQL's user.
func archive(files map[string][]byte) ([]byte, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	now := time.Now()
	header := tar.Header{Typeflag: tar.TypeDir, Name: "steamer/", Mode: 0o700, Uid: postgresUID, Gid: postgresUID, ModTime: now}
	err := w.WriteHeader(&header)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header.Typeflag, header.Name, header.Mode, header.Size = tar.TypeReg, "steamer/"+name, 0o600, int64(len(files[name]))
		if err == nil {
			err = w.WriteHeader(&header)
		}
		if err == nil {
			_, err = w.Write(files[name])
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("archive for the container: %w", err)
	}
	return buffer.Bytes(), nil
}

// RemoveMachine removes the container with its volumes, if there is one of this run.
func (e *Environment) RemoveMachine(ctx context.Context) error {
	if e.Engine == nil || e.Spec.Topology != CloudNativeHybrid {
		return nil
	}
	out, err := e.Engine.Run(ctx, "ps", "--all", "--quiet", "--no-trunc",
		"--filter", "name=^"+e.machine()+"$", "--filter", "label="+OwnerLabel+"="+e.Spec.Run)
	if err != nil || strings.TrimSpace(out) == "" {
		return err
	}
	// By its ID: the name may be another's by now.
	if _, err := e.Engine.Run(ctx, append([]string{"rm", "--force", "--volumes"}, strings.Fields(out)...)...); err != nil {
		return exit.Environmentf("container "+e.machine(), "steamer cluster gc", "%w", err)
	}
	return nil
}
