package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
)

// A Docker daemon leaves its chains, its rules and the policy DROP for forwarded packets behind when it ends, because the
// next one wants them. A private daemon has no next one: what it changed is put back.

const ipForwardFile = "/proc/sys/net/ipv4/ip_forward"

func netfilterFile() string { return filepath.Join(runDir, "netfilter.json") }

// netfilter is what the host had before the private daemon.
type netfilter struct {
	Docker    bool   `json:"docker"`    // chains of another Docker, which stay
	Policy    string `json:"policy"`    // of the chain FORWARD, e.g. ACCEPT
	IPForward string `json:"ipForward"` // the kernel's switch, "0" or "1"
}

// recordNetfilter keeps what the host has, unless a daemon that was killed has kept it already.
func recordNetfilter(ctx context.Context) error {
	if _, err := os.Stat(netfilterFile()); err == nil {
		return nil
	}
	rules, err := iptables(ctx, "iptables-save", "")
	if err != nil {
		return err
	}
	forward, err := os.ReadFile(ipForwardFile)
	if err != nil {
		return err
	}
	before := netfilter{Docker: strings.Contains(rules, "\n:DOCKER "), Policy: forwardPolicy(rules), IPForward: strings.TrimSpace(string(forward))}
	data, err := json.Marshal(before)
	if err != nil {
		return err
	}
	return os.WriteFile(netfilterFile(), data, 0o600)
}

// restoreNetfilter puts back what recordNetfilter kept. Where another Docker daemon has come up since, everything stays: its chains have the
// same names.
func restoreNetfilter(ctx context.Context) error {
	data, err := os.ReadFile(netfilterFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var before netfilter
	if err == nil {
		err = json.Unmarshal(data, &before)
	}
	if err != nil || before.Docker || otherDockerd() {
		return err
	}
	rules, err := iptables(ctx, "iptables-save", "")
	if err != nil {
		return err
	}
	if _, err := iptables(ctx, "iptables-restore", withoutDocker(rules, before.Policy)); err != nil {
		return err
	}
	return os.WriteFile(ipForwardFile, []byte(before.IPForward), 0o644)
}

var (
	policy = regexp.MustCompile(`(?m)^:FORWARD (\w+) .*$`)
	// dockers matches the lines of a dump that a Docker daemon is the cause of: its chains, their rules, the jumps to them, and rules for
	// the bridges of its networks.
	dockers = regexp.MustCompile(`(?m)^(:DOCKER\S* .*|-A .*(DOCKER|\bbr-[0-9a-f]{12}\b).*)\n`)
)

// forwardPolicy reads the policy of FORWARD from a dump; ACCEPT, the kernel's own, where there is no such table yet.
func forwardPolicy(rules string) string {
	if found := policy.FindStringSubmatch(rules); found != nil {
		return found[1]
	}
	return "ACCEPT"
}

// withoutDocker is a dump of iptables-save without what a Docker daemon put there.
func withoutDocker(rules, forward string) string {
	return policy.ReplaceAllString(dockers.ReplaceAllString(rules, ""), ":FORWARD "+forward+" [0:0]")
}

// otherDockerd reports whether any Docker daemon runs. The private one has ended when this is asked.
func otherDockerd() bool {
	found, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return true
	}
	for _, file := range found {
		if name, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(name)) == "dockerd" {
			return true
		}
	}
	return false
}

func iptables(ctx context.Context, program, input string) (string, error) {
	path, err := lookPath(program)
	if err != nil {
		return "", exit.Environmentf("packet filter", "install the package iptables (steamer setup does)", "%w", err)
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Stdin = strings.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}
