// Package delay puts a known delay between a client and a server, to find out
// whether a comparison would see a regression of that size.
package delay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"

	"gitlab.com/steamer/steamer/harness/exit"
)

// kind is the name of our toxic. Toxiproxy's own latency is in whole
// milliseconds, and 5 % of a fetch is a fraction of one.
const kind = "steamer_delay"

// hold delays every chunk of an answer by Microseconds.
type hold struct {
	Microseconds int64 `json:"microseconds"`
}

// Pipe implements toxics.Toxic.
func (h *hold) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			if !h.wait(stub, chunk) {
				return
			}
		}
	}
}

// wait passes the chunk on when its time has come; false when it was interrupted.
func (h *hold) wait(stub *toxics.ToxicStub, chunk *stream.StreamChunk) bool {
	due := chunk.Timestamp.Add(time.Duration(h.Microseconds) * time.Microsecond)
	if coarse := time.Until(due) - fine; coarse > 0 {
		timer := time.NewTimer(coarse)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-stub.Interrupt:
			stub.Output <- chunk // late or not, no byte may be lost
			return false
		}
	}
	sleep(time.Until(due) - lateness())
	stub.Output <- chunk
	return true
}

// fine is the end of a wait that Go's timers are too coarse for: an idle program waits for them in
// whole milliseconds of epoll_wait.
const fine = 3 * time.Millisecond

// lateness is the latency with which another goroutine sees the end of sleep, measured once: the
// timer's slack of 50 µs, and waking a thread, its processor and the receiver. It would be a large
// part of delays that are a few per cent of a fetch.
var lateness = sync.OnceValue(func() time.Duration {
	const length, tries = 300 * time.Microsecond, 31
	passed := make(chan time.Time)
	go func() {
		defer close(passed)
		pace := time.NewTicker(2 * time.Millisecond) // idle in between, as between fetches
		defer pace.Stop()
		for range tries {
			<-pace.C
			began := time.Now()
			sleep(length)
			passed <- began
		}
	}()
	var late []time.Duration
	for began := range passed {
		late = append(late, time.Since(began)-length)
	}
	slices.Sort(late)
	return late[tries/2]
})

func init() { toxics.Register(kind, new(hold)) } //nolint:gochecknoinits // toxiproxy's way to make a toxic known

// Proxy leads a loopback port to an address and delays the answers.
type Proxy struct {
	proxy *toxiproxy.Proxy
	delay time.Duration
}

// Start listens on a free loopback port and leads to upstream, host:port, without delay.
func Start(upstream string) (*Proxy, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, "delay", "127.0.0.1:0", upstream)
	if _, _, err := net.SplitHostPort(upstream); err != nil {
		return nil, exit.Invalidf("delay to "+upstream, "name a host and a port", "%w", err)
	}
	if err := p.Start(); err != nil {
		return nil, exit.Environmentf("delay to "+upstream, "", "no loopback port to listen on: %w", err)
	}
	lateness() // measured before the first answer waits
	proxy := &Proxy{proxy: p}
	if err := proxy.toxic(); err != nil {
		p.Stop()
		return nil, err
	}
	return proxy, nil
}

// toxic adds the toxic that Set changes; it is always there, so that its cost is, too.
func (p *Proxy) toxic() error {
	_, err := p.proxy.Toxics.AddToxicJson(p.attributes())
	return err
}

func (p *Proxy) attributes() *bytes.Reader {
	raw, _ := json.Marshal(map[string]any{ // cannot fail: strings and a number
		"name": kind, "type": kind, "stream": "downstream", "toxicity": 1, "attributes": hold{p.delay.Microseconds()},
	})
	return bytes.NewReader(raw)
}

// Address is where the proxy listens, host:port.
func (p *Proxy) Address() string { return p.proxy.Listen }

// Set delays answers from now on by d, 0 to 1 minute, with a resolution of 1 µs. Where an
// answer comes in several pieces, each is held until it is d old.
func (p *Proxy) Set(d time.Duration) error {
	if d < 0 || d > time.Minute {
		return exit.Invalidf("delay "+d.String(), "use 0 to 1m", "it is out of range")
	}
	before := p.delay
	p.delay = d
	if _, err := p.proxy.Toxics.UpdateToxicJson(kind, p.attributes()); err != nil {
		p.delay = before
		return fmt.Errorf("setting a delay of %s: %w", d, err)
	}
	return nil
}

// Delay is what Set set last.
func (p *Proxy) Delay() time.Duration { return p.delay }

// Stop closes the listener and all connections.
func (p *Proxy) Stop() { p.proxy.Stop() }
