// Vault 1.13.0 as a program of its own. The module's main patches crypto/x509 by a linker
// directive that today's Go refuses; this one does without.
//
// Some CA certificates that a dependency embeds have negative serial numbers, which Go refuses
// since 1.23.
//go:debug x509negativeserial=1

package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
