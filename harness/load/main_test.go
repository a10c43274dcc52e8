package load_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gitlab.com/steamer/steamer/harness/load/hdr"
	"go.uber.org/goleak"
)

// TestMain lets the test binary stand in for a process that behaves badly in
// ways k6 itself cannot be made to. The real k6 is driven in k6_test.go.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "run" {
		os.Exit(misbehave(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

const testJWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqb2IifQ.c2lnbmF0dXJl"

// misbehave acts out the scenario that the script's name asks for.
func misbehave(args []string) int {
	log := strings.TrimPrefix(args[1], "hdr=")
	script := strings.TrimSuffix(filepath.Base(args[len(args)-1]), ".js")
	say := func(lines ...string) {
		f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		must(err)
		_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
		must(err)
		must(f.Close())
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT)
	switch script {
	case "environment":
		fixture, err := io.ReadAll(os.NewFile(3, "fixture"))
		must(err)
		seen, err := json.Marshal(map[string]any{"args": args, "env": os.Environ(), "fixture": len(fixture)})
		must(err)
		must(os.WriteFile(log+".seen", seen, 0o600))
		say(header(), interval(1000, "measure", map[string]int64{"fetches": 2}, 5000, 7000), summary(""))
		return 0
	case "exception":
		fmt.Fprintf(os.Stderr, "ERRO something about %s\nERRO TypeError: secret is undefined\n", testJWT)
		say(header(), summary("exception"))
		return 107
	case "thresholds":
		say(header(), interval(1000, "measure", map[string]int64{"fetches": 1}, 9000), summary(""))
		return 99
	case "deaf":
		say(header(), interval(1000, "measure", map[string]int64{"fetches": 1}, 9000), summary(""))
		return 0
	case "mute":
		return 104
	case "garbage":
		say(header(), "panic: not an interval")
		<-interrupted
		return 105
	case "obedient":
		say(header(), interval(1000, "measure", map[string]int64{"fetches": 1}, 9000))
		<-interrupted
		say(summary("signal: interrupt"))
		return 105
	case "stubborn":
		say(header(), interval(1000, "measure", map[string]int64{"fetches": 1}, 9000))
		for range interrupted { // hears SIGINT and goes on
			say(interval(2000, "measure", map[string]int64{"fetches": 1}, 9000))
		}
	case "killed":
		say(header(), interval(1000, "measure", map[string]int64{"fetches": 1}, 9000))
		must(syscall.Kill(os.Getpid(), syscall.SIGKILL))
		<-interrupted // never: the signal is on its way
	}
	return 3
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func header() string { return `{"v":1,"kind":"header","start":"2026-11-23T15:00:00.5Z","unit":"us"}` }

// share is the header of a process with a share of the schedule.
func share(segment string) string {
	return strings.Replace(header(), `"us"`, fmt.Sprintf(`"us","segment":%q`, segment), 1)
}

func summary(partial string) string {
	if partial == "" {
		return `{"v":1,"kind":"summary","max_vus":20,"k6":"v2.1.0"}`
	}
	return fmt.Sprintf(`{"v":1,"kind":"summary","max_vus":20,"k6":"v2.1.0","partial":true,"reason":%q}`, partial)
}

// interval renders a line as the extension writes it, with both histograms;
// the intended latency is the actual one plus a millisecond.
func interval(ms int64, phase string, count map[string]int64, micros ...int64) string {
	hist := map[string]string{}
	for name, extra := range map[string]int64{"fetch_actual": 0, "fetch_intended": 1000} {
		h := hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)
		for _, v := range micros {
			must(h.RecordValue(v + extra))
		}
		enc, err := hdr.Encode(h)
		must(err)
		hist[name] = enc
	}
	b, err := json.Marshal(map[string]any{
		"v": 1, "kind": "interval", "start_ms": ms, "end_ms": ms + 1000, "phase": phase,
		"hist": hist, "count": count, "vus": 3,
	})
	must(err)
	return string(b)
}

func notBase64() string { return base64.StdEncoding.EncodeToString([]byte("not a histogram")) }
