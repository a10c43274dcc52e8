package plan

import (
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// fitServer fits the load to the program that the dialect's charts are made for. Vault has no
// inline authentication: the mode that nothing asks for in particular becomes Runner's with Vault.
func (r *Resolved) fitServer() error {
	if r.Dialect.Server != openbao.KindVault {
		if ref := r.Images[images.Vault]; ref != "" {
			return exit.Invalidf("--image vault="+ref, "use --dialect vault or vault-postgresql, and HashiCorp's chart",
				"dialect %s is for charts of OpenBao", r.Dialect.Name)
		}
		return nil
	}
	modes := load.LoginModes()
	if slices.Contains(modes, r.Profile.Mode) {
		return nil
	}
	hint := "use --mode " + strings.Join(modes, " or ")
	if r.Plan.Mode != "" || r.Profile.Mode != load.Inline {
		return exit.Invalidf("mode "+r.Profile.Mode+" with dialect "+r.Dialect.Name, hint,
			"Vault has no inline authentication, and GitLab does not write to it")
	}
	profile, err := r.Profile.WithMode(modes[0])
	if err != nil {
		return exit.Invalidf("profile "+r.Profile.Name+" with dialect "+r.Dialect.Name, hint, "%w", err)
	}
	r.Profile, r.Plan.Mode = profile, modes[0]
	return nil
}
