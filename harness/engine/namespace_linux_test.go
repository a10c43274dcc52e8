package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
)

// runProgram is a part of a test in a process of its own.
func runProgram(program string) int {
	if err := programs()[program](); err != nil {
		fmt.Println(err)
		return int(exit.CodeOf(err))
	}
	return 0
}

func programs() map[string]func() error {
	data := Options{DataDir: os.Getenv("STEAMER_ENGINE_TEST_DATA")}
	return map[string]func() error{
		// begins outside, begins again inside, says what it sees there, and leaves at the end of
		// its input
		"enter": func() error {
			n, err := Arrived(data)
			if err != nil {
				return err
			}
			if n == nil {
				return Enter(context.Background(), data, []byte("left behind"))
			}
			return inside(n)
		},
		// begins outside, begins again inside, and asks for the engine
		"start": func() error {
			n, err := Arrived(data)
			if err != nil {
				return err
			}
			if n == nil {
				return Enter(context.Background(), data, nil)
			}
			_, err = n.Engine(context.Background(), nil)
			return errors.Join(err, n.Leave(context.Background()))
		},
		// holds a lock until the end of its input
		"hold": func() error {
			l, err := tryLock(os.Getenv("STEAMER_ENGINE_TEST_DATA"), unix.LOCK_EX)
			if err != nil {
				return err
			}
			defer l.release()
			fmt.Println("held")
			_, err = io.Copy(io.Discard, os.Stdin)
			return err
		},
		// says who listens on a socket
		"peer": func() error {
			fmt.Println(listener(context.Background(), os.Getenv("STEAMER_ENGINE_TEST_DATA")))
			return nil
		},
		// listens on a socket until the end of its input
		"listen": func() error {
			listener, err := net.Listen("unix", os.Getenv("STEAMER_ENGINE_TEST_DATA"))
			if err != nil {
				return err
			}
			defer listener.Close()
			fmt.Println("listening")
			_, err = io.Copy(io.Discard, os.Stdin)
			return err
		},
	}
}

func inside(n *Namespace) error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	var up []string
	for _, i := range interfaces {
		if i.Flags&net.FlagUp != 0 {
			up = append(up, i.Name)
		}
	}
	_, out := (&net.Dialer{Timeout: time.Second}).Dial("tcp", "192.0.2.1:80")
	forward := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
	listener, err := net.Listen("tcp", os.Getenv("STEAMER_ENGINE_TEST_ADDRESS"))
	if err != nil {
		return err
	}
	defer listener.Close()
	_, again := os.LookupEnv(handoverVariable)
	fmt.Printf("pid %d up %v unreachable %t forward %v handover %q variable %t\n", os.Getpid(), up,
		errors.Is(out, unix.ENETUNREACH), forward, n.Handover, again)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return n.Leave(context.Background())
}

// process is this program as a part of a test.
type process struct {
	*exec.Cmd
	input io.WriteCloser
	lines *bufio.Scanner
}

func program(t *testing.T, name, data string, environ ...string) *process {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{Cmd: exec.CommandContext(t.Context(), self)}
	p.Env = append(append(os.Environ(), programVariable+"="+name, "STEAMER_ENGINE_TEST_DATA="+data), environ...)
	p.Stderr = os.Stderr
	p.input, err = p.StdinPipe()
	require.NoError(t, err)
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	p.lines = bufio.NewScanner(out)
	return p
}

func (p *process) begin(t *testing.T) *process {
	t.Helper()
	require.NoError(t, p.Start())
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	return p
}

// line waits for the next line that the process prints.
func (p *process) line(t *testing.T) string {
	t.Helper()
	require.True(t, p.lines.Scan(), "the process ended without a word")
	return p.lines.Text()
}

// root ends a test's process where it cannot be tried: these tests make namespaces and mounts.
func root(t *testing.T) {
	t.Helper()
	require.Zero(t, os.Geteuid(), "this test makes network namespaces and needs root, as CI is")
}

// hostNetwork is what a private engine must not change.
func hostNetwork(t *testing.T) string {
	t.Helper()
	var all []string
	for _, file := range []string{"/proc/self/net/route", "/proc/self/net/ipv6_route", "/proc/sys/net/ipv4/ip_forward"} {
		data, err := os.ReadFile(file)
		if !errors.Is(err, os.ErrNotExist) {
			require.NoError(t, err)
		}
		all = append(all, string(data))
	}
	return strings.Join(all, "\n")
}

// TestTwoEnginesBesideEachOther: processes of two caches are in two namespaces with ports of their
// own and no way out; the host sees nothing of it, and nothing is left.
func TestTwoEnginesBesideEachOther(t *testing.T) {
	root(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0") // taken on the host: inside it is free, twice
	require.NoError(t, err)
	defer listener.Close()
	before := hostNetwork(t)
	address := "STEAMER_ENGINE_TEST_ADDRESS=" + listener.Addr().String()
	var homes []home
	var all []*process
	for range 2 {
		data := filepath.Join(t.TempDir(), "engine")
		h, err := homeOf(data)
		require.NoError(t, err)
		homes = append(homes, h)
		p := program(t, "enter", data, address).begin(t)
		all = append(all, p)
		require.Equal(t, fmt.Sprintf(`pid %d up [lo] unreachable true forward <nil> handover "left behind" variable false`,
			p.Process.Pid), p.line(t))
	}
	require.NotEqual(t, homes[0].dir, homes[1].dir)
	for i, h := range homes {
		number, err := pinned(h.pin())
		require.NoError(t, err)
		require.Contains(t, membersOf(number), all[i].Process.Pid)
		require.NotContains(t, membersOf(number), all[1-i].Process.Pid)
	}
	for i, p := range all {
		require.NoError(t, p.input.Close())
		require.NoError(t, p.Wait())
		gone(t, homes[i])
	}
	require.Equal(t, before, hostNetwork(t))
}

// gone asserts that nothing of an engine is left but its data.
func gone(t *testing.T, h home) {
	t.Helper()
	for _, path := range []string{h.dir, h.using(), h.changing()} {
		require.NoFileExists(t, path)
		require.NoDirExists(t, path)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), h.dir)
}

// TestTheLastOneStopsIt: of two processes in one namespace the first that leaves removes nothing;
// a killed one holds nothing, and what it left is found.
func TestTheLastOneStopsIt(t *testing.T) {
	root(t)
	data := filepath.Join(t.TempDir(), "engine")
	h, err := homeOf(data)
	require.NoError(t, err)
	first := program(t, "enter", data, "STEAMER_ENGINE_TEST_ADDRESS=127.0.0.1:18200").begin(t)
	first.line(t)
	second := program(t, "enter", data, "STEAMER_ENGINE_TEST_ADDRESS=127.0.0.1:18201").begin(t)
	second.line(t)
	require.NoError(t, first.input.Close())
	require.NoError(t, first.Wait())
	number, err := pinned(h.pin())
	require.NoError(t, err)
	require.NotZero(t, number, "the second one still uses it")

	require.NoError(t, second.Process.Kill())
	_ = second.Wait()
	there, err := Exists(Options{DataDir: data})
	require.NoError(t, err)
	require.True(t, there)
	third := program(t, "enter", data, "STEAMER_ENGINE_TEST_ADDRESS=127.0.0.1:18200").begin(t)
	third.line(t)
	again, err := pinned(h.pin())
	require.NoError(t, err)
	require.Equal(t, number, again, "it is entered, not made again")
	require.NoError(t, third.input.Close())
	require.NoError(t, third.Wait())
	gone(t, h)
}

// TestOrphansEnd: what a killed process left running in the namespace ends with it.
func TestOrphansEnd(t *testing.T) {
	root(t)
	data := filepath.Join(t.TempDir(), "engine")
	h, err := homeOf(data)
	require.NoError(t, err)
	p := program(t, "enter", data, "STEAMER_ENGINE_TEST_ADDRESS=127.0.0.1:18200").begin(t)
	p.line(t)
	orphan := exec.Command("sleep", "300")
	require.NoError(t, inThread(func() error {
		if err := enterNetwork(h.pin()); err != nil {
			return err
		}
		return orphan.Start()
	}))
	reaped := make(chan error, 1)
	go func() { reaped <- orphan.Wait() }()
	require.NoError(t, p.input.Close())
	require.NoError(t, p.Wait())
	require.ErrorContains(t, <-reaped, "signal: terminated")
	gone(t, h)
}

// TestDaemonThatEndsAtOnce is reported at once, with the end of its log, and leaves nothing.
func TestDaemonThatEndsAtOnce(t *testing.T) {
	root(t)
	data, programs := filepath.Join(t.TempDir(), "engine"), t.TempDir()
	h, err := homeOf(data)
	require.NoError(t, err)
	script := "#!/bin/sh\necho the first line >&2\nfor i in 1 2 3 4 5 6 7; do echo line $i >&2; done\necho Devices " +
		"cgroup is not mounted >&2\nexit 1\n"
	require.NoError(t, os.WriteFile(filepath.Join(programs, "dockerd"), []byte(script), 0o755))
	p := program(t, "start", data, "PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	started := time.Now()
	p.begin(t)
	var said []string
	for p.lines.Scan() {
		said = append(said, p.lines.Text())
	}
	require.Error(t, p.Wait())
	require.Equal(t, int(exit.Environment), p.ProcessState.ExitCode())
	all := strings.Join(said, "\n")
	require.Contains(t, all, errEnded.Error())
	require.Contains(t, all, "line 1\n")
	require.Contains(t, all, "Devices cgroup is not mounted")
	require.NotContains(t, all, "the first line")
	require.Less(t, time.Since(started), startTimeout/2)
	gone(t, h)
}
