package kind

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCrashes has logs as the API gives them.
func TestCrashes(t *testing.T) {
	t.Parallel()
	const panicked = `2026-11-30T13:55:01.501Z {"@level":"error","@message":"failed to get entityPacker"}
2026-11-30T13:55:01.503Z panic: runtime error: invalid memory address or nil pointer dereference
2026-11-30T13:55:01.504Z [signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x34c4cec]
2026-11-30T13:55:01.504Z 
2026-11-30T13:55:01.504Z goroutine 56 [running]:
2026-11-30T13:55:01.504Z example.org/bao/helper/storagepacker.(*StoragePacker).View(...)
2026-11-30T13:55:01.504Z 	example.org/bao/helper/storagepacker/storagepacker.go:43
2026-11-30T13:55:01.504Z example.org/bao/vault.(*IdentityStore).loadEntities(0x2562c29d5900, {0x4c21a48, 0x0})
2026-11-30T13:55:01.504Z 	example.org/bao/vault/identity_store_util.go:208 +0x12c
`
	const nilDereference = "a container crashed: panic: runtime error: invalid memory address or " +
		"nil pointer dereference, in storagepacker.(*StoragePacker).View, called by vault.(*IdentityStore).loadEntities"
	for name, tc := range map[string]struct {
		logs map[string]string
		want []string
	}{
		"none":      {map[string]string{"a.log": "2026-11-30T13:55:01Z fetched: no panic: all is well\n"}, nil},
		"not a log": {map[string]string{"events.txt": "panic: x\n"}, nil},
		"without a time": {
			map[string]string{"a.log": "panic: gone\n"}, []string{"a container crashed: panic: gone (a.log)"},
		},
		"of the runtime": {
			map[string]string{"a.log": "fatal error: deadlock\n"},
			[]string{"a container crashed: fatal error: deadlock (a.log)"},
		},
		"with its frames": {map[string]string{"a-previous.log": panicked}, []string{nilDereference + " (a-previous.log)"}},
		"a restart loop": {
			map[string]string{"a.log": panicked, "a-previous.log": panicked, "b.log": "panic: other\n"},
			[]string{nilDereference + " (a-previous.log)", "a container crashed: panic: other (b.log)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range tc.logs {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
			}
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			require.NoError(t, err)
			require.Equal(t, tc.want, crashes(files))
		})
	}
}
