package images

import (
	"context"
	"fmt"

	"github.com/Masterminds/semver/v3"
)

// vaultVersion is of the Mozilla Public License. Later releases of the 1.13 line and 1.14 are too,
// but depend on a module that was never released with them.
const vaultVersion = "1.13.0"

// vaultBUSL is the first version under the Business Source License; its release candidates are,
// too.
const vaultBUSL = "1.15.0"

func vaultBinary() binary {
	return binary{name: "vault", module: "harness/images/vault", pkg: "."}
}

// VaultBinary returns the path of the Vault program, building it first if the cache does not hold
// it: ten minutes of CPU.
func (b *Builder) VaultBinary(ctx context.Context) (string, error) {
	return b.binary(ctx, vaultBinary())
}

// vaultRecipe makes an image on which HashiCorp's chart runs.
func vaultRecipe() recipe {
	r := serverRecipe(Vault, vaultVersion, map[string]entry{
		"/etc/passwd":  {data: []byte("root:x:0:0::/:/bin/sh\nvault:x:100:1000::/home/vault:/bin/sh\n")},
		"/etc/group":   {data: []byte("root:x:0:\nvault:x:1000:\n")},
		"/home/vault":  {dir: true, mode: 0o755, uid: 100},
		"/vault/data":  {dir: true, mode: 0o755, uid: 100},
		"/vault/logs":  {dir: true, mode: 0o755, uid: 100},
		"/vault/audit": {dir: true, mode: 0o755, uid: 100},
	}, vaultBinary())
	r.refuses = refusesVault
	return r
}

// refusesVault is why a version of Vault is never built; "" where its license is no reason.
func refusesVault(version string) string {
	is, err := semver.NewVersion(version)
	if err != nil || is.LessThan(semver.MustParse(vaultBUSL+"-0")) {
		return ""
	}
	return fmt.Sprintf("Vault %s is under the Business Source License, as all from %s on: Steamer builds none of them",
		version, vaultBUSL)
}
