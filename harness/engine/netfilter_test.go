package engine

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dump is what iptables-save shows on a host with rules of its own while a Docker daemon with one network runs.
const dump = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:MINE - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o br-59ee7b2f218a -j ACCEPT
-A FORWARD -i br-lan -j MINE
-A DOCKER -d 172.17.0.2/32 ! -i br-59ee7b2f218a -o br-59ee7b2f218a -p tcp -m tcp --dport 6443 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A MINE -j DROP
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o br-59ee7b2f218a -j MASQUERADE
-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE
COMMIT
`

func TestOnlyDockersRulesAreRemoved(t *testing.T) {
	t.Parallel()
	require.Equal(t, "DROP", forwardPolicy(dump))
	require.Equal(t, "ACCEPT", forwardPolicy(""))
	require.Equal(t, `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:MINE - [0:0]
-A FORWARD -i br-lan -j MINE
-A MINE -j DROP
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE
COMMIT
`, withoutDocker(dump, "ACCEPT"))
	require.Equal(t, withoutDocker(dump, "ACCEPT"), withoutDocker(withoutDocker(dump, "ACCEPT"), "ACCEPT"))
}

// TestRealIptablesTakesTheDump gives what is left to the real program, in a network namespace of its own.
func TestRealIptablesTakesTheDump(t *testing.T) {
	t.Parallel()
	restore, err := lookPath("iptables-restore")
	if err != nil || os.Geteuid() != 0 {
		t.Log("not tried: it needs root and the package iptables")
		return
	}
	run := func(input string, command ...string) string {
		cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"--net"}, command...)...)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	kept := withoutDocker(dump, "ACCEPT")
	out := run(kept, "sh", "-c", restore+" && "+strings.Replace(restore, "-restore", "-save", 1))
	require.Contains(t, out, "-A FORWARD -i br-lan -j MINE")
	require.Contains(t, out, "-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE")
	require.NotContains(t, out, "DOCKER")
}
