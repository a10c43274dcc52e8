package charts_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// random matches what differs on each rendering without a cluster: generated keys.
var random = regexp.MustCompile(`(?m)^(  (?:key|token|password): )[A-Za-z0-9+/=]{43,}$`)

// withoutKeys is a rendering without what is random.
func withoutKeys(rendered string) string { return random.ReplaceAllString(rendered, "${1}RANDOM") }

// TestGolden compares everything a topology installs with testdata/golden, so that
// a change of one template shows its whole effect. UPDATE_GOLDEN=1 rewrites the files.
func TestGolden(t *testing.T) {
	t.Parallel()
	cases := []struct{ golden, chart, release, values string }{
		{"openbao-cloud-native", "openbao", release, cloudNative},
		{"openbao-cloud-native-hybrid", "openbao", release, cloudNativeHybrid},
		{"postgresql", "postgresql", "postgresql", "testdata/postgresql-values.yaml"},
		{"gitlab-stub", "gitlab-stub", "gitlab-stub", "testdata/gitlab-stub-values.yaml"},
	}
	for _, tt := range cases {
		t.Run(tt.golden, func(t *testing.T) {
			t.Parallel()
			out, err := render(t, input{chart: tt.chart, release: tt.release, files: []string{tt.values}})
			require.NoError(t, err)
			names(t, out)
			got := withoutKeys(out) + "\n"
			file := filepath.Join("testdata", "golden", tt.golden+".yaml")
			if os.Getenv("UPDATE_GOLDEN") == "1" {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "UPDATE_GOLDEN=1 go test ./charts -run TestGolden writes it")
			require.Equal(t, string(want), got, "if the change is meant: UPDATE_GOLDEN=1 go test ./charts -run TestGolden")
		})
	}
}

// TestGeneratedKeysDiffer proves that the unseal key is random, not a constant.
func TestGeneratedKeysDiffer(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, unsealSecret(t).Data["key"], unsealSecret(t).Data["key"])
}
