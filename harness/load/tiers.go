package load

import (
	"fmt"
	"strconv"
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
	return Tier{}, exit.Invalidf("tier "+name, "use one of "+strings.Join(names, ", "),
		"GitLab's sizing table has no such tier")
}

// Above is the rate in fetches per second from which on the tier is meant: that of the next lower
// one, 0 for the lowest.
func (t Tier) Above() float64 {
	above := 0.0
	for _, other := range Tiers() {
		if r := other.Rate; r < t.Rate {
			above = max(above, r)
		}
	}
	return above
}

// Size is one of GitLab's reference architectures, by its users.
type Size struct {
	Name    string  // e.g. "10k": up to 10,000 users
	GitPull float64 // peak Git pulls per second that it is made for
}

// Sizes returns the reference architectures, smallest first.
//
// Source: GitLab documentation, "Reference architectures", target load of each ("Up to 200 RPS or
// 10,000 users": API 200 RPS, Web 20 RPS, Git pull 20 RPS, Git push 4 RPS), as of GitLab 19.
func Sizes() []Size {
	return []Size{{"1k", 2}, {"2k", 4}, {"3k", 6}, {"5k", 10}, {"10k", 20}, {"25k", 50}, {"50k", 100}}
}

// SecretsPerJob is how many secrets a job with secrets fetches, as GitLab's sizing assumes.
const SecretsPerJob = 3

// Sizing is the rate of fetches per second that GitLab expects of an instance of a size, and the
// row of the sizing table for it: Git pulls per second, each of which is taken for a job, times
// adoption, the share of jobs that use secrets (above 0 to 1), times SecretsPerJob; then the row
// that meets or just exceeds it. Errors are of code exit.Invalid; a rate beyond the table's end is
// one.
//
// Source: GitLab documentation, "GitLab Secrets Manager (OpenBao)", section "Estimate your secret
// fetch rate", as of GitLab 19; its example is 20 Git pulls per second at 20 %, which make 12
// fetches per second and the row "Up to 12".
func Sizing(size string, adoption float64) (float64, Tier, error) {
	var names []string
	pull := 0.0
	for _, s := range Sizes() {
		names = append(names, s.Name)
		if s.Name == size {
			pull = s.GitPull
		}
	}
	if pull == 0 {
		return 0, Tier{}, exit.Invalidf("--size "+size, "use one of "+strings.Join(names, ", "),
			"GitLab has no such reference architecture")
	}
	if !(adoption > 0) || adoption > 1 {
		return 0, Tier{}, exit.Invalidf(fmt.Sprintf("--adoption %g", adoption),
			"use the share of jobs that fetch secrets, above 0 to 1, e.g. 0.2",
			"not a share from 0 to 1")
	}
	// Rounded to thousandths, in which k6 counts: 20 x 0.2 x 3 is not 12 in binary.
	rate, _ := strconv.ParseFloat(strconv.FormatFloat(pull*adoption*SecretsPerJob, 'f', 3, 64), 64)
	for _, t := range Tiers() {
		if t.Rate >= rate {
			return rate, t, nil
		}
	}
	last := Tiers()[len(Tiers())-1]
	hint := fmt.Sprintf("use an adoption of at most %g, or --rate with the --tier of your own sizing",
		last.Rate/pull/SecretsPerJob)
	return 0, Tier{}, exit.Invalidf(fmt.Sprintf("--size %s --adoption %g", size, adoption), hint,
		"%g fetches per second are beyond GitLab's sizing table, which ends at %g", rate, last.Rate)
}
