package kind

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/engine"
)

// A client of an engine that runs commands of node-1 with programs that keep rules in a file. A
// rule about 10.0.0.9 cannot be made.
var fakeNode = map[string]string{
	"docker": `#!/bin/sh
dir=$(dirname "$0")
PATH="$dir:$PATH"
[ "$1 $2" = "exec node-1" ] || exit 9
shift 2
exec "$@"
`,
	"iptables": `#!/bin/sh
rules=$(dirname "$0")/rules
what=$1
shift
case "$what $*" in
*10.0.0.9*) exit 1 ;;
-I*) echo "-A $*" >> "$rules" ;;
-D*) grep -vxF -- "-A $*" "$rules" > "$rules.new"; mv "$rules.new" "$rules" ;;
esac
`,
	"iptables-save": `#!/bin/sh
sed "$([ "$1" = -c ] && echo 's/^/[21:180] /')" "$(dirname "$0")/rules"
`,
}

// TestCut: rules are made on the pod's node, in both directions, and removed again, also where one
// of them cannot be made. Those of others stay.
func TestCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, script := range fakeNode {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700))
	}
	const others = "-A FORWARD -j KUBE-FORWARD\n"
	rules := func() string {
		text, err := os.ReadFile(filepath.Join(dir, "rules"))
		require.NoError(t, err)
		return string(text)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules"), []byte(others), 0o600))
	p := onFake(t, &bytes.Buffer{})
	p.Engine = &engine.Engine{Binary: filepath.Join(dir, "docker")}
	f := &Faults{Target: newTarget(t, p, nil)}
	pod := &corev1.Pod{Spec: corev1.PodSpec{NodeName: "node-1"}, Status: corev1.PodStatus{PodIP: "10.0.0.1"}}
	for name, tc := range map[string]struct {
		reset bool
		peers []string
		want  string
	}{
		"database": {false, nil, "-A FORWARD -p tcp -s 10.0.0.1 --dport 5432 -m comment --comment steamer-fault -j DROP\n" +
			"-A FORWARD -p tcp -d 10.0.0.1 --sport 5432 -m comment --comment steamer-fault -j DROP\n"},
		"pods": {
			true,
			[]string{"10.0.0.2"},
			"-A FORWARD -p tcp -s 10.0.0.1 -d 10.0.0.2 -m comment --comment steamer-fault -j REJECT --reject-with tcp-reset\n" +
				"-A FORWARD -p tcp -s 10.0.0.2 -d 10.0.0.1 -m comment --comment steamer-fault -j REJECT --reject-with tcp-reset\n",
		},
	} {
		heal, err := f.Cut(t.Context(), pod, tc.reset, tc.peers...)
		require.NoError(t, err, name)
		require.Equal(t, others+tc.want, rules(), name)
		met, err := heal(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, 42, met, name)
		require.Equal(t, others, rules(), name)
	}
	_, err := f.Cut(t.Context(), pod, false, "10.0.0.2", "10.0.0.9")
	require.Error(t, err)
	require.Equal(t, others, rules())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.Cut(ctx, pod, false)
	require.Error(t, err)
	require.Equal(t, others, rules())
}
