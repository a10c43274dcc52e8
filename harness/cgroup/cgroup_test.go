package cgroup

import (
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// dir is a file system of some files by name.
func dir(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

const (
	mountV2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
	meminfo = "MemTotal:       8388608 kB\nMemAvailable:   4194304 kB\n"
)

// TestGroup: limits are those of the whole way up, in both versions, on a host, in a container and
// in a namespace.
func TestGroup(t *testing.T) {
	t.Parallel()
	bind := func(root string) string {
		return "32 31 0:29 " + root + " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n35 31 0:32 / " +
			"/sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	}
	for name, tc := range map[string]struct {
		files              map[string]string
		cpus               float64 // 0: those of the machine
		periods, throttled float64 // 0: none are counted
		available          float64
	}{
		"v2, no limit": {files: map[string]string{
			"proc/self/cgroup": "0::/user.slice\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/user.slice/cpu.max": "max 100000\n", "sys/fs/cgroup/user.slice/memory.max": "max\n",
			"sys/fs/cgroup/user.slice/memory.current": "5\n",
		}, available: 4096},
		"v2, a parent's limit is tighter": {files: map[string]string{
			"proc/self/cgroup": "0::/ci/job/step\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/ci/job/step/cpu.max":  "100000 100000\n",
			"sys/fs/cgroup/ci/job/step/cpu.stat": "usage_usec 7\nnr_periods 1\nnr_throttled 0\n",
			"sys/fs/cgroup/ci/job/cpu.max":       "50000 100000\n",
			"sys/fs/cgroup/ci/job/cpu.stat":      "usage_usec 7\nnr_periods 40\nnr_throttled 10\n",
			"sys/fs/cgroup/ci/job/memory.max":    "1073741824\n", "sys/fs/cgroup/ci/job/memory.current": "805306368\n",
			"sys/fs/cgroup/ci/job/memory.stat": "anon 1\ninactive_file 268435456\n",
		}, cpus: 0.5, periods: 40, throttled: 10, available: 512},
		"v2, in a namespace": {files: map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/cpu.max": "25000 50000", "sys/fs/cgroup/cpu.stat": "nr_periods 9\nnr_throttled 3\n",
		}, cpus: 0.5, periods: 9, throttled: 3, available: 4096},
		"v2, moved out of the namespace's root": {files: map[string]string{
			"proc/self/cgroup": "0::/../other\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/cpu.max": "25000 50000",
			"sys/fs/cgroup/cpu.stat": "nr_periods 9\nnr_throttled 3\n",
		}, cpus: 0.5, periods: 9, throttled: 3, available: 4096},
		"v1 on a host": {files: map[string]string{
			"proc/self/cgroup": "4:memory:/ci/job\n2:cpu,cpuacct:/ci/job\n0::/ci\n", "proc/self/mountinfo": bind("/"),
			"sys/fs/cgroup/cpu,cpuacct/ci/job/cpu.cfs_quota_us":  "-1\n",
			"sys/fs/cgroup/cpu,cpuacct/ci/job/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/cpu,cpuacct/ci/cpu.cfs_quota_us":      "50000\n",
			"sys/fs/cgroup/cpu,cpuacct/ci/cpu.cfs_period_us":     "100000\n",
			"sys/fs/cgroup/cpu,cpuacct/ci/cpu.stat":              "nr_periods 100\nnr_throttled 60\nthrottled_time 5\n",
			"sys/fs/cgroup/memory/ci/job/memory.limit_in_bytes":  "9223372036854771712\n",
			"sys/fs/cgroup/memory/ci/job/memory.usage_in_bytes":  "1048576\n",
			"sys/fs/cgroup/memory/ci/memory.limit_in_bytes":      "1073741824\n",
			"sys/fs/cgroup/memory/ci/memory.usage_in_bytes":      "1073741824\n",
			"sys/fs/cgroup/memory/ci/memory.stat":                "total_inactive_file 1048576\n",
		}, cpus: 0.5, periods: 100, throttled: 60, available: 1},
		"v1 in a container, whose own group is the mount's root": {files: map[string]string{
			"proc/self/cgroup": "4:memory:/\n2:cpu,cpuacct:/docker/abc\n", "proc/self/mountinfo": bind("/docker/abc"),
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 8\nnr_throttled 0\n",
		}, cpus: 0.5, periods: 8, available: 4096},
		"v1 in a container that does not see its group": {files: map[string]string{
			"proc/self/cgroup": "2:cpu,cpuacct:/kubepods/pod1/abc\n", "proc/self/mountinfo": bind("/"),
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 8\nnr_throttled 2\n",
		}, cpus: 0.5, periods: 8, throttled: 2, available: 4096},
		"nothing is mounted": {
			files:     map[string]string{"proc/self/cgroup": "2:cpu:/\n", "proc/self/mountinfo": ""},
			available: 4096,
		},
		"nonsense": {files: map[string]string{
			"proc/self/cgroup": "x\n0::/\n", "proc/self/mountinfo": "y\n" + mountV2, "sys/fs/cgroup/cpu.max": "0 0\n",
			"sys/fs/cgroup/memory.max": "-5\n",
		}, available: 4096},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.files["proc/meminfo"] = meminfo
			g, err := open(dir(tc.files))
			require.NoError(t, err)
			if tc.cpus == 0 {
				tc.cpus = float64(runtime.NumCPU())
			}
			require.InDelta(t, tc.cpus, g.CPUs(), 1e-9)
			periods, throttled, ok := g.Throttling()
			require.Equal(t, tc.periods > 0, ok)
			require.Equal(t, [2]float64{tc.periods, tc.throttled}, [2]float64{periods, throttled})
			available, ok := g.AvailableMiB()
			require.True(t, ok)
			require.InDelta(t, tc.available, available, 1e-9)
		})
	}
}

func TestGroupUnknown(t *testing.T) {
	t.Parallel()
	_, err := open(dir(nil))
	require.ErrorContains(t, err, "control group of this process")
	_, err = open(dir(map[string]string{"proc/self/cgroup": "0::/\n"}))
	require.ErrorContains(t, err, "mounts of control groups")
	g, err := open(dir(map[string]string{"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2}))
	require.NoError(t, err)
	_, ok := g.AvailableMiB()
	require.False(t, ok, "the machine does not say")
}

// TestOwn reads this very process.
func TestOwn(t *testing.T) {
	t.Parallel()
	g, err := Own()
	require.NoError(t, err)
	require.Positive(t, g.CPUs())
	require.LessOrEqual(t, g.CPUs(), float64(runtime.NumCPU()))
	available, ok := g.AvailableMiB()
	require.True(t, ok)
	require.Positive(t, available)
}

// FuzzOpen: whatever the kernel's files hold, limits are above 0.
func FuzzOpen(f *testing.F) {
	f.Add("0::/a/b\n", mountV2, "50000 100000", "nr_periods 1\nnr_throttled 1\n")
	f.Add("2:cpu:/../x\n", "1 2 3 /x /y z - cgroup c cpu\n", "-1 0", "")
	f.Fuzz(func(t *testing.T, groups, mounts, limit, stat string) {
		g, err := open(dir(map[string]string{
			"proc/self/cgroup": groups, "proc/self/mountinfo": mounts, "sys/fs/cgroup/cpu.max": limit,
			"sys/fs/cgroup/cpu.stat": stat, "proc/meminfo": meminfo,
		}))
		require.NoError(t, err)
		require.Positive(t, g.CPUs())
		available, _ := g.AvailableMiB()
		require.GreaterOrEqual(t, available, 0.0)
	})
}
