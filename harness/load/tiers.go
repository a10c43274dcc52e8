package load

import (
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Tier is one row of GitLab's sizing table for Secrets Manager: what an OpenBao
// pod is given for a rate of secret fetches.
//
// Source: GitLab documentation, "GitLab Secrets Manager (OpenBao)", section
// "Sizing recommendations", as of GitLab 19. The CPU limit is twice the request
// and the memory limit equals the request, as that page says.
type Tier struct {
	Name       string  // the rate as a string, e.g. "12"
	Rate       float64 // secret fetches per second, the upper end of the row
	CPURequest string  // Kubernetes quantity
	CPULimit   string  // Kubernetes quantity
	Memory     string  // Kubernetes quantity, request and limit
	Replicas   int     // one active, the rest standby; more add no throughput
}

// Tiers returns the sizing table, smallest tier first.
func Tiers() []Tier {
	return []Tier{
		{"3", 3, "500m", "1000m", "2G", 2},
		{"6", 6, "500m", "1000m", "3G", 2},
		{"12", 12, "500m", "1000m", "4G", 2},
		{"30", 30, "500m", "1000m", "9G", 2},
		{"60", 60, "1000m", "2000m", "16G", 2},
		{"150", 150, "2000m", "4000m", "31G", 2},
	}
}

// TierNamed finds a tier by its name; an unknown name is an error of code exit.Invalid.
func TierNamed(name string) (Tier, error) {
	var names []string
	for _, t := range Tiers() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Tier{}, exit.Invalidf("tier "+name, "use one of "+strings.Join(names, ", "), "GitLab's sizing table has no such tier")
}
