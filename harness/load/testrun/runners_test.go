package testrun

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/loadtest"
	"gitlab.com/steamer/steamer/harness/load/merged"
	"gitlab.com/steamer/steamer/harness/load/pods"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runner is one k6 as the operator starts it, see the package comment: its volumes are
// directories, and its port is one of loopback.
type runner struct {
	cmd     *exec.Cmd
	address string
	log     string // file with standard output and error together, as kubectl logs prints them
}

// segmentSequence is the sequence of all n segments, as the operator gives it to k6.
func segmentSequence(n int) string {
	bounds := []string{"0"}
	for i := 1; i < n; i++ {
		bounds = append(bounds, fmt.Sprintf("%d/%d", i, n))
	}
	return strings.Join(append(bounds, "1"), ",")
}

func start(t *testing.T, binary, dir string, run testRun, i int) runner {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := runner{address: listener.Addr().String(), log: filepath.Join(dir, fmt.Sprintf("%d.log", i))}
	require.NoError(t, listener.Close())
	args := []string{
		"run", "--quiet", "--execution-segment=" + load.Segment(i, run.Spec.Parallelism),
		"--execution-segment-sequence=" + segmentSequence(run.Spec.Parallelism),
	}
	args = append(args, strings.Fields(run.Spec.Arguments)...)
	args = append(args, filepath.Join(dir, "test", run.Spec.Script.ConfigMap.File), "--address="+r.address, "--paused",
		"--tag", fmt.Sprintf("instance_id=%d", i+1), "--tag", "testrun_name="+run.Name)
	r.cmd = exec.CommandContext(t.Context(), binary, args...)
	for _, e := range run.Spec.Runner.Env {
		r.cmd.Env = append(r.cmd.Env, e.Name+"="+strings.Replace(e.Value, fixtureDir, filepath.Join(dir, "secret"), 1))
	}
	out, err := os.Create(r.log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	// one for both, as a container's runtime has it; k6 would open a file again and truncate it
	pipe := struct{ io.Writer }{out}
	r.cmd.Stdout, r.cmd.Stderr = pipe, pipe
	require.NoError(t, r.cmd.Start())
	return r
}

// resume does what the operator's starter does, once k6 has answered its readiness probe.
func resume(t *testing.T, runners []runner) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, address, body string) error {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+"/v1/status",
			strings.NewReader(body))
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", method, response.Status)
		}
		return nil
	}
	for _, r := range runners {
		_, err := wait.Until(t.Context(), wait.For{
			What: "k6 is paused", Interval: 50 * time.Millisecond,
			Deadline: time.Minute,
		}, func(context.Context) error { return ask(http.MethodGet, r.address, "") })
		said, _ := os.ReadFile(r.log)
		require.NoError(t, err, "%s", said)
	}
	for _, r := range runners {
		require.NoError(t, ask(http.MethodPatch, r.address,
			`{"data":{"type":"status","id":"default","attributes":{"paused":false}}}`))
	}
}

// TestRunners drives three real k6 processes as the operator would from the very manifests,
// against a real OpenBao, and merges their logs.
func TestRunners(t *testing.T) {
	dir := t.TempDir()
	spec := sample()
	const rate, seconds = 30, 6
	site := loadtest.Start(t, localbao.Options{}, "testrun", 4, 2)
	spec.Job.Fixture, spec.Job.Rate = site.Document(t, site.Server.Address, site.Seed), rate
	spec.Job.Profile.Warmup, spec.Job.Profile.Duration, spec.Job.Profile.VUs = document.Duration(2*time.Second),
		document.Duration(seconds*time.Second), load.VUs{Initial: 30, Max: 60}
	scripts, err := pods.Scripts("../../../perf/scripts", "fetch")
	require.NoError(t, err)
	delete(scripts, pods.MainScript)
	spec.Scripts = scripts
	require.NoError(t, spec.Check())
	run, configMap, secret := spec.objects()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "test"), 0o700))
	for name, text := range configMap.Data {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "test", name), []byte(text), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "secret"), 0o700))
	for name, data := range secret.Data {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "secret", name), data, 0o600))
	}
	binary := loadtest.K6(t)
	runners := make([]runner, 0, run.Spec.Parallelism)
	for i := range run.Spec.Parallelism {
		runners = append(runners, start(t, binary, dir, run, i))
	}
	resume(t, runners)
	logs := make([]string, 0, len(runners))
	for _, r := range runners {
		err := r.cmd.Wait()
		said, readErr := os.ReadFile(r.log)
		require.NoError(t, readErr)
		require.NoError(t, err, "%s", said)
		loadtest.NoToken(t, spec.Job.Fixture, string(said))
		logs = append(logs, r.log)
	}
	slo, err := judge.ReadSLO("../../../perf/slo.yaml")
	require.NoError(t, err)
	merge := merged.Spec{
		Logs: logs, Profile: spec.Job.Profile, Rate: rate, Tolerance: load.DefaultTolerance, SLO: slo, Unobserved: true,
		Environment: result.Topology{Name: "cloud-native", Versions: map[string]string{"openbao": "2.4.0"}},
		Frame:       result.Result{APIVersion: result.APIVersion, Kind: result.Kind, Run: result.Run{ID: "r", Tier: "30"}},
	}
	var log bytes.Buffer
	r, err := merged.Merge(merge, loadtest.To(&log))
	require.NoError(t, err)
	l := r.Topologies[0].Load
	require.Empty(t, l.Partial)
	// arrivals that a busy machine puts before or after the measured time, for each process; a
	// lost share would be 60
	const ends = 6
	// A crowded machine may find no free VU for an arrival: then it is dropped, and counted as
	// that.
	require.InDelta(t, rate*seconds, l.Fetches+l.Dropped, ends*float64(len(runners)),
		"all shares together are the whole rate; %d dropped", l.Dropped)
	require.Equal(t, [2]int64{}, [2]int64{l.Failed, l.Wrong})
	require.Equal(t, [2]int64{l.Fetches, l.Fetches}, [2]int64{l.Actual.Count, l.Intended.Count})
	for i, p := range l.Parts {
		require.Equal(t, load.Segment(i, len(l.Parts)), p.Segment, "k6 says itself which share it had")
		require.Positive(t, p.CPUSeconds)
		require.NotNil(t, p.Collections, "k6's garbage collector was traced")
	}
	require.Positive(t, l.Generator.CPUShare)
	_, err = result.Encode(r)
	require.NoError(t, err)

	merge.Logs = logs[1:]
	r, err = merged.Merge(merge, loadtest.To(&log))
	require.NoError(t, err)
	require.NotEqual(t, result.Pass, r.Verdict) // FAIL where a crowded machine was slow as well
	require.Contains(t, strings.Join(r.Reasons, "; "), "the share 0:1/3 is missing")
}
