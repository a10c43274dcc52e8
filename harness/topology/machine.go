package topology

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/secret"
)

// machine is the name of the container that stands for a database machine outside the cluster.
func (e *Environment) machine() string {
	return "steamer-" + e.Cluster.Name + "-postgresql" + e.Spec.Suffix
}

// MachineName is the name of the container that runs PostgreSQL in the hybrid topology.
func (e *Environment) MachineName() string { return e.machine() }

// postgresUID is the user that the official image and ours run PostgreSQL as.
const postgresUID = 999

// machineFiles is where the machine's secrets are: in memory, see startMachine.
const machineFiles = "/run/steamer"

// awaitFiles is a shell script that becomes its arguments as soon as the machine has its files. A
// container's start hands nothing over, and the engine has no way to put a file into a container's
// memory before it.
const awaitFiles = `until [ -s ` + machineFiles + `/complete ]; do sleep 0.1; done; exec "$@"`

// startMachine runs PostgreSQL in a container on the cluster's network, with TLS from a CA made
// for this run. Password and key travel through a pipe into a file system in the container's
// memory: no argument, no environment and no file of the engine's storage on the host holds them.
// What PostgreSQL itself stores of the password is a SCRAM verifier, in the container's own layer,
// which goes with it.
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
	secret.Learn(string(authority.key))
	e.files, err = archive(
		map[string][]byte{"password": []byte(password), "tls.crt": authority.certificate, "tls.key": authority.key},
		"complete")
	if err != nil {
		return err
	}
	if err := e.runMachine(ctx); err != nil {
		return exit.Environmentf("container "+e.machine(), "steamer cluster gc", "%w", err)
	}
	err = await(ctx, databaseTimeout, "PostgreSQL in container "+e.machine(), func(ctx context.Context) error {
		_, err := e.Engine.Run(ctx, "exec", e.machine(), "pg_isready", "--host", "127.0.0.1", "--username", "openbao",
			"--quiet")
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

// runMachine starts the container, in which the image's own entrypoint waits for its files.
func (e *Environment) runMachine(ctx context.Context) error {
	out, err := e.Engine.Run(ctx, "image", "inspect", "--format", "{{json .Config.Entrypoint}}", e.Spec.Images.PostgreSQL)
	if err != nil {
		return err
	}
	var entrypoint []string
	if err := json.Unmarshal([]byte(out), &entrypoint); err != nil {
		return fmt.Errorf("entrypoint of image %s: %w", e.Spec.Images.PostgreSQL, err)
	}
	args := []string{
		"run", "--detach", "--name", e.machine(), "--network", "kind", "--label", OwnerLabel + "=" + e.Spec.Run,
		"--tmpfs", machineFiles + ":rw,noexec,nosuid,nodev,size=1m,mode=0755",
		"--env", "POSTGRES_USER=openbao", "--env", "POSTGRES_DB=openbao", "--env", "POSTGRES_PASSWORD_FILE=" + machineFiles +
			"/password",
	}
	for _, label := range e.Cluster.MachineLabels() {
		args = append(args, "--label", label)
	}
	args = append(args, "--entrypoint", "sh", e.Spec.Images.PostgreSQL, "-c", awaitFiles, "sh")
	args = append(append(args, entrypoint...), "postgres", "-c", "ssl=on",
		"-c", "ssl_cert_file="+machineFiles+"/tls.crt", "-c", "ssl_key_file="+machineFiles+"/tls.key",
		"-c", "shared_preload_libraries=pg_stat_statements", "-c", "max_connections=100")
	if _, err := e.Engine.Run(ctx, args...); err != nil {
		return err
	}
	return e.fillMachine(ctx)
}

// fillMachine hands the machine its files, at each start: what is in memory goes with a stop.
func (e *Environment) fillMachine(ctx context.Context) error {
	_, err := e.Engine.RunInput(ctx, bytes.NewReader(e.files), "exec", "--interactive", "--user", "0:0", e.machine(),
		"tar", "-x", "-p", "-f", "-", "-C", machineFiles)
	return err
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

// archive is a tar of private files, owned by PostgreSQL's user. The one called last comes last
// and holds no more than a word: where it is, the others are.
func archive(files map[string][]byte, last string) ([]byte, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	now := time.Now()
	header := tar.Header{Typeflag: tar.TypeReg, Mode: 0o600, Uid: postgresUID, Gid: postgresUID, ModTime: now}
	var err error
	for _, name := range append(slices.Sorted(maps.Keys(files)), last) {
		content := files[name]
		if name == last {
			content = []byte("yes\n")
		}
		header.Name, header.Size = name, int64(len(content))
		if err == nil {
			err = w.WriteHeader(&header)
		}
		if err == nil {
			_, err = w.Write(content)
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
