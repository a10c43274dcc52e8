package judge

import (
	"fmt"
	"strings"
)

// Conditions says what an entry matches.
func (e Entry) Conditions() string {
	var parts []string
	for _, c := range [][2]string{
		{"chart", e.Chart},
		{"OpenBao", e.OpenBao},
		{"Vault", e.Vault},
		{"topology", e.Topology},
		{"mode", e.Mode},
	} {
		if c[1] != "" {
			parts = append(parts, c[0]+" "+c[1])
		}
	}
	if len(e.Tier) > 0 {
		parts = append(parts, "tier "+strings.Trim(fmt.Sprint(e.Tier), "[]"))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, ", ")
}
