package engine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
)

func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	root(t)
	for name, test := range map[string]struct {
		make func(t *testing.T, h home)
		says string
	}{
		"a directory without a mark": {func(t *testing.T, h home) {
			require.NoError(t, os.MkdirAll(h.dir, 0o755))
			require.NoError(t, os.WriteFile(h.path("precious"), nil, 0o600))
		}, "without Steamer's mark"},
		"a file": {func(t *testing.T, h home) {
			require.NoError(t, os.MkdirAll(filepath.Dir(h.dir), 0o755))
			require.NoError(t, os.WriteFile(h.dir, nil, 0o600))
		}, "not a directory"},
		"a broken mark": {func(t *testing.T, h home) {
			require.NoError(t, h.write(mark{}))
			require.NoError(t, os.WriteFile(h.markFile(), []byte("{"), 0o600))
		}, "cannot be read"},
		"another cache's": {
			func(t *testing.T, h home) { require.NoError(t, h.write(mark{Data: "/elsewhere"})) },
			"/elsewhere",
		},
		"another user's": {func(t *testing.T, h home) {
			require.NoError(t, h.write(mark{Data: h.data}))
			require.NoError(t, os.Chown(h.dir, 65534, 65534))
		}, "belongs to user 65534"},
		"another namespace": {func(t *testing.T, h home) {
			require.NoError(t, h.write(mark{Data: h.data, Namespace: 1}))
			_, err := pinNew(h.pin())
			require.NoError(t, err)
		}, "not the one that Steamer made"},
		"a namespace with a way out": {func(t *testing.T, h home) {
			require.NoError(t, h.provide())
			require.NoError(t, inThread(func() error {
				if err := enterNetwork(h.pin()); err != nil {
					return err
				}
				for _, args := range [][]string{
					{"link", "add", "out0", "type", "veth"},
					{"link", "set", "out0", "up"},
					{"route", "add", "default", "dev", "out0"},
				} {
					if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
						return fmt.Errorf("ip %v: %w: %s", args, err, out)
					}
				}
				return nil
			}))
		}, "has a route out (default by out0)"},
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "engine")
			h, err := homeOf(data)
			require.NoError(t, err)
			t.Cleanup(func() {
				require.NoError(t, errors.Join(h.remove(), os.RemoveAll(h.dir), os.RemoveAll(h.changing()), removeEmpty(runRoot)))
			})
			test.make(t, h)
			listing := func() (all []string) {
				require.NoError(t, filepath.WalkDir(h.dir, func(path string, entry os.DirEntry, err error) error {
					all = append(all, path+entry.Type().String())
					return err
				}))
				return all
			}
			before := listing()
			_, err = h.prepare(t.Context(), func(string) {})
			require.Equal(t, exit.Environment, exit.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, "nothing was touched")
			require.Equal(t, before, listing())
			n, err := Arrived(Options{DataDir: data})
			require.Nil(t, n)
			require.NoError(t, err)
		})
	}
}

// TestInterruptedWhileMaking: whatever a process that died left half made is ours, and finished by
// the next.
func TestInterruptedWhileMaking(t *testing.T) {
	root(t)
	for name, half := range map[string]func(t *testing.T, h home){
		"an empty directory": func(t *testing.T, h home) { require.NoError(t, os.MkdirAll(h.dir, 0o710)) },
		"a mark":             func(t *testing.T, h home) { require.NoError(t, h.write(mark{Data: h.data})) },
		"a file to pin to": func(t *testing.T, h home) {
			require.NoError(t, errors.Join(h.write(mark{Data: h.data}), os.WriteFile(h.pin(), nil, 0o600)))
		},
		"a pin without a mark": func(t *testing.T, h home) {
			require.NoError(t, h.write(mark{Data: h.data}))
			_, err := pinNew(h.pin())
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := homeOf(filepath.Join(t.TempDir(), "engine"))
			require.NoError(t, err)
			half(t, h)
			require.NoError(t, h.provide())
			m, err := h.read()
			require.NoError(t, err)
			number, err := pinned(h.pin())
			require.NoError(t, err)
			require.NotZero(t, number)
			require.Equal(t, number, m.Namespace)
			require.NoError(t, errors.Join(h.remove(), removeEmpty(runRoot)))
			gone(t, h)
		})
	}
}
