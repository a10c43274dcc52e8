package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
)

// guardRanges are kind's pod and Service ranges. A packet to one of them that escapes a
// node would otherwise follow the host's default route to machines that are not ours.
var guardRanges = []string{"10.244.0.0/16", "10.96.0.0/16"}

func routesFile() string { return filepath.Join(runDir, "routes") }

// addGuardRoutes makes the ranges unreachable from the host and records the routes it
// added; a route that exists already is not ours and stays.
func addGuardRoutes(ctx context.Context) error {
	added, err := recordedRoutes() // a daemon that was killed left them
	if err != nil {
		return err
	}
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
		if !slices.Contains(added, cidr) {
			added = append(added, cidr)
		}
		if err := os.WriteFile(routesFile(), []byte(strings.Join(added, "\n")), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// removeGuardRoutes removes the routes that addGuardRoutes recorded.
func removeGuardRoutes(ctx context.Context) error {
	recorded, err := recordedRoutes()
	if err != nil {
		return err
	}
	var failures []error
	for _, cidr := range recorded {
		existing, err := ip(ctx, "route", "show", "exact", cidr)
		if err == nil && strings.TrimSpace(existing) != "" { // else someone removed it already
			_, err = ip(ctx, "route", "del", "unreachable", cidr)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// recordedRoutes reads the routes that addGuardRoutes recorded; there are none where it did not run.
func recordedRoutes() ([]string, error) {
	data, err := os.ReadFile(routesFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(data)), err
}

func ip(ctx context.Context, args ...string) (string, error) {
	program, err := lookPath("ip")
	if err != nil {
		return "", exit.Environmentf("guard routes", "install the package iproute2 (steamer setup does)", "%w", err)
	}
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
