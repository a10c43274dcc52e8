// Package clients measures what one fetch costs the client: with package wire and with the HTTP
// clients that could replace it.
//
// The server is a process of its own, so that its CPU time does not count. All clients take turns in
// short slices and the order reverses from round to round, so that whatever else the machine does
// falls on all of them. Each round gives one ratio for each client; the benchmark reports their
// median with a 95 % confidence interval. -benchtime=60x sets the number of rounds.
package clients

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// asServer in the environment makes the test binary the server.
const asServer = "STEAMER_BENCH_AS_SERVER"

const value = "steamer-v1-abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"

// answer is what OpenBao 2.4 sends for an inline fetch.
const answer = `{"request_id":"0b1f6b0d-6a55-4b6c-9b43-8c8d1a3f4c55","lease_id":"","renewable":false,"lease_duration":0,` +
	`"data":{"data":{"value":"` + value + `"},"metadata":{"created_time":"2026-11-30T02:00:00.000000000Z",` +
	`"custom_metadata":{"branch":"*","environment":"*"},"deletion_time":"","destroyed":false,"version":1}},` +
	`"wrap_info":null,"warnings":null,"auth":null}` + "\n"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		serve()
		return
	}
	os.Exit(m.Run())
}

// addresses is what the server prints when it listens.
type addresses struct {
	Plain, TLS string
	CA         []byte // DER
}

// serve answers until standard input ends.
func serve() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		_, _ = io.WriteString(w, answer)
	})
	plain, secure := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	_ = json.NewEncoder(os.Stdout).Encode(addresses{
		plain.Listener.Addr().String(), secure.Listener.Addr().String(), secure.Certificate().Raw,
	})
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// start runs the server and returns where it listens.
func start(b *testing.B) (a addresses, roots *x509.CertPool) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asServer+"=1")
	stdin, err := cmd.StdinPipe()
	check(b, err)
	stdout, err := cmd.StdoutPipe()
	check(b, err)
	check(b, cmd.Start())
	b.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	check(b, json.NewDecoder(stdout).Decode(&a))
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.CA}))
	return a, roots
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkClients has one sub-benchmark for each protocol, connection mode and number of workers.
func BenchmarkClients(b *testing.B) {
	at, roots := start(b)
	for _, protocol := range []string{"http1", "https1", "https2"} {
		for _, reuse := range []bool{false, true} {
			for _, workers := range []int{1, 8} {
				name := fmt.Sprintf("%s/%s/workers=%d", protocol, map[bool]string{false: "connect", true: "keep"}[reuse], workers)
				b.Run(name, func(b *testing.B) {
					to := target{address: at.Plain, reuse: reuse}
					if protocol != "http1" {
						to.address, to.roots, to.h2 = at.TLS, roots, protocol == "https2"
					}
					compare(b, to, workers)
				})
			}
		}
	}
}

// compare lets the clients take turns, one slice each a round.
func compare(b *testing.B, to target, workers int) {
	var kinds []kind
	for _, k := range allKinds {
		if !to.h2 || k.h2 || k.name == "wire" { // wire stays on HTTP/1.1, as what to compare with
			kinds = append(kinds, k)
		}
	}
	fetches := 1500
	if !to.reuse && to.roots != nil {
		fetches = 400
	}
	costs := make([][]float64, len(kinds))
	order := make([]int, len(kinds))
	for i := range order {
		order[i] = i
	}
	pools := make([][]client, len(kinds))
	for i, k := range kinds {
		to := to
		to.h2 = to.h2 && k.h2
		for range workers {
			pools[i] = append(pools[i], k.open(to))
		}
		slice(b, pools[i], 20*workers)
	}
	for b.Loop() {
		for _, i := range order {
			runtime.GC()
			before := cpu(b)
			slice(b, pools[i], fetches)
			costs[i] = append(costs[i], (cpu(b)-before)/float64(fetches))
		}
		slices.Reverse(order)
	}
	for i, k := range kinds {
		for _, c := range pools[i] {
			c.close()
		}
		b.ReportMetric(median(costs[i]), "µs-"+k.name)
		if i == 0 {
			continue
		}
		ratios := make([]float64, len(costs[i]))
		for round := range ratios {
			ratios[round] = costs[i][round] / costs[0][round]
		}
		low, high := interval(ratios)
		b.ReportMetric(median(ratios), k.name+"/wire")
		b.ReportMetric(low, k.name+"/wire-low")
		b.ReportMetric(high, k.name+"/wire-high")
	}
	b.ReportMetric(0, "ns/op")
}

// slice makes so many fetches with one worker for each client.
func slice(b *testing.B, pool []client, fetches int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(fetches))
	var wg sync.WaitGroup
	for _, c := range pool {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := c.fetch(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// cpu is the CPU time of this process so far, in microseconds.
func cpu(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1000
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// interval is a confidence interval of at least 95 % for the median of which values are a sample,
// whatever their distribution: order statistics, between which the median lies unless nearly all
// values fell on one side of it.
func interval(values []float64) (low, high float64) {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	// The probability that at most k values are below the median: binomial with p = 1/2.
	k, at, below := 0, 1.0, 1.0
	for range n {
		at, below = at/2, below/2
	}
	for k < n/2 && 2*below <= 0.05 {
		k++
		at *= float64(n-k+1) / float64(k)
		below += at
	}
	k = max(0, k-1)
	return s[k], s[n-1-k]
}
