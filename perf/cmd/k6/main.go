// Command k6 is k6 v2 with the module k6/x/openbao and the output hdr linked in, built by plain go
// build. It takes the same arguments as k6 itself.
package main

import (
	"go.k6.io/k6/v2/cmd"

	_ "gitlab.com/steamer/steamer/perf"
)

func main() {
	cmd.Execute()
}
