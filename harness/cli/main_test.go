package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestMain makes no engine answer and none start: what a test passes as good input must not find a
// machine to work on.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "steamer-cli-")
	if err == nil {
		err = os.Setenv("DOCKER_HOST", "unix://"+filepath.Join(dir, "docker.sock"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
