// Package perf is the k6 extension module of Steamer: the JavaScript module k6/x/openbao, which
// fetches secrets from OpenBao as GitLab Runner does, and the output hdr, which writes latency
// histograms once a second.
//
// Build it with plain Go (cmd/k6) or with xk6:
//
//	xk6 build --with gitlab.com/steamer/steamer/perf=./perf
package perf

import (
	"go.k6.io/k6/v2/js/modules"
	"go.k6.io/k6/v2/output"

	"gitlab.com/steamer/steamer/perf/hdr"
	"gitlab.com/steamer/steamer/perf/openbao"
)

// k6 finds extensions by import alone, so that this is the one place where init registers
// something.
func init() {
	modules.Register("k6/x/openbao", openbao.New())
	output.RegisterExtension("hdr", hdr.New)
}
