package lab

import (
	"fmt"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"gitlab.com/steamer/steamer/harness/exit"
)

// proxy stands between OpenBao and PostgreSQL and delays what the database answers, as a network's
// round trip would.
type proxy struct{ *toxiproxy.Proxy }

// startProxy listens on a free loopback port.
func startProxy(upstream string, latency time.Duration) (*proxy, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{toxiproxy.NewProxy(server, "postgresql", "127.0.0.1:0", upstream)}
	if err := p.Start(); err != nil {
		return nil, exit.Environmentf("latency proxy", "raise the limit of open files", "%w", err)
	}
	if latency > 0 {
		toxic := fmt.Sprintf(`{"type":"latency","stream":"downstream","attributes":{"latency":%d}}`, latency.Milliseconds())
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			p.Stop()
			return nil, fmt.Errorf("latency proxy: %w", err)
		}
	}
	return p, nil
}

func (p *proxy) address() string { return p.Listen }

func (p *proxy) stop() { p.Stop() }
