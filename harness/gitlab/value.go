package gitlab

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"

	"gitlab.com/steamer/steamer/harness/secret"
)

// ValuePrefix starts every value that Value returns, so that a leak is
// recognised without knowing the seed.
const ValuePrefix = secret.ValuePrefix

// ValuePattern is a regular expression (RE2) that matches every value of Value.
const ValuePattern = secret.ValuePattern

// Value returns the secret text of one version of one secret: HMAC-SHA256 over
// tenant, name and version keyed by seed (RFC 2104), in lower-case base32. Whoever
// knows the seed can tell a right value from a wrong one, without a table.
func Value(seed, tenant, name string, version int) string {
	mac := hmac.New(sha256.New, []byte(seed))
	_, _ = mac.Write([]byte(tenant + "\x00" + name + "\x00" + strconv.Itoa(version))) // never fails
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil))
	return ValuePrefix + strings.ToLower(text)
}

// digest returns the hex digest of a value: what a fixture tells instead of the value.
func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
