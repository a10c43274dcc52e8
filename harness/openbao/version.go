package openbao

import (
	"fmt"

	"github.com/Masterminds/semver/v3"
)

// The first versions of OpenBao with a feature, for AtLeast.
const (
	HTTPAuditSince   = "2.5.0" // an audit device of type http
	MetricsOnlySince = "2.5.0" // a listener that serves nothing but metrics
)

// AtLeast reports whether a server of a version, as Health has it, is one of least or later. A
// pre-release counts as its release. A version that cannot be read is an error.
func AtLeast(version, least string) (bool, error) {
	is, err := semver.NewVersion(version)
	if err != nil {
		return false, fmt.Errorf("OpenBao's version %q: %w", version, err)
	}
	wanted, err := semver.NewVersion(least)
	if err != nil {
		return false, fmt.Errorf("version %q: %w", least, err)
	}
	release, err := is.SetPrerelease("")
	return err == nil && !release.LessThan(wanted), err
}
