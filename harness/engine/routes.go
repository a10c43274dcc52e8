package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// guardRanges are kind's pod and Service ranges. A packet to one of them that escapes a
// node would otherwise follow the host's default route to machines that are not ours.
var guardRanges = []string{"10.244.0.0/16", "10.96.0.0/16"}

func routesFile() string { return filepath.Join(runDir, "routes") }

// addGuardRoutes makes the ranges unreachable from the host and records the routes it
// added; a route that exists already is not ours and stays.
func addGuardRoutes(ctx context.Context) error {
	var added []string
	for _, cidr := range guardRanges {
		existing, err := ip(ctx, "route", "show", "exact", cidr)
		if err != nil {
			return err
		}
		if strings.TrimSpace(existing) != "" {
			continue
		}
		if _, err := ip(ctx, "route", "add", "unreachable", cidr); err != nil {
			return err
		}
		added = append(added, cidr)
		if err := os.WriteFile(routesFile(), []byte(strings.Join(added, "\n")), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// removeGuardRoutes removes the routes that addGuardRoutes recorded.
func removeGuardRoutes(ctx context.Context) error {
	data, err := os.ReadFile(routesFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failures []error
	for _, cidr := range strings.Fields(string(data)) {
		_, err := ip(ctx, "route", "del", "unreachable", cidr)
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

func ip(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
