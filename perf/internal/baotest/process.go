package baotest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// child is a started process with its output in a file.
type child struct {
	cmd  *exec.Cmd
	log  string
	done chan error
}

func start(dir, name string, cmd *exec.Cmd) (*child, error) {
	log, err := os.Create(filepath.Join(dir, name+".log")) // #nosec G304 -- a directory of the test's own
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{cmd: cmd, log: log.Name(), done: make(chan error, 1)}
	go func() { c.done <- cmd.Wait() }()
	return c, nil
}

// stop ends the process: politely, then not.
func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGINT)
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// output is the end of what the process printed.
func (c *child) output() string {
	b, _ := os.ReadFile(c.log)
	return string(b[max(0, len(b)-2000):])
}

// until polls ready until it succeeds; it reports the last error when ctx ends or the process does.
func (c *child) until(ctx context.Context, ready func(context.Context) error) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		last := ready(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case err := <-c.done:
			c.done <- err
			return fmt.Errorf("ended early: %w; last: %w; output: %s", err, last, c.output())
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w; output: %s", ctx.Err(), last, c.output())
		}
	}
}

// postgres runs a fresh PostgreSQL below dir and returns its connection URL.
func postgres(ctx context.Context, dir, password string) (*child, string, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, "", err
	}
	attr, err := ordinaryUser(dir)
	if err != nil {
		return nil, "", err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "openbao", "--no-sync", "-A",
		"trust") // #nosec G204 -- the developer names the program
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-k", "",
		// #nosec G204 -- the developer names the program
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
	cmd.SysProcAttr, cmd.Dir = attr, dir
	c, err := start(dir, "postgres", cmd)
	return c, fmt.Sprintf("postgres://openbao:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port), err
}

// postgresBin finds the server programs: $STEAMER_PG_BIN, the PATH, or where Debian puts them.
func postgresBin() (string, error) {
	candidates := []string{os.Getenv("STEAMER_PG_BIN")}
	if p, err := exec.LookPath("initdb"); err == nil {
		candidates = append(candidates, filepath.Dir(p))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for _, dir := range append(candidates, debian...) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); dir != "" &&
			err == nil { // #nosec G703 -- the developer names the directory
			return dir, nil
		}
	}
	return "", fmt.Errorf("PostgreSQL's initdb: %w: apt-get install postgresql, or set STEAMER_PG_BIN", fs.ErrNotExist)
}

// ordinaryUser gives dir to user postgres when we are root, since PostgreSQL refuses to run as
// root.
func ordinaryUser(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, int(uid), int(gid))
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	return strconv.Atoi(port)
}
