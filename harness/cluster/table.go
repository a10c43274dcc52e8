package cluster

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"
)

// WriteTable writes clusters with what their marks say, as of now.
func WriteTable(w io.Writer, found []Found, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tWHOSE\tOWNER\tRUN\tAGE\tIN USE\tKEPT UNTIL\tEXPIRED")
	for _, f := range found {
		o := f.Owner
		if o == nil {
			fmt.Fprintf(table, "%s\t%s\t%s\t-\t-\t-\t-\t-\n", f.Name, f.Whose, cmp.Or(f.Problem, "not Steamer's"))
			continue
		}
		until := "its run ends"
		if o.Keep {
			until = o.Created.Add(o.TTL).Format(time.RFC3339)
		}
		expired := "-" // that is for its owner to say
		if f.Whose == Mine {
			expired = strconv.FormatBool(f.Expired)
		}
		used := map[Life]string{Alive: "yes", Gone: "no", Unknown: "unknown"}[f.Life]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			f.Name, f.Whose, o.Identity, o.Run, now.Sub(o.Created).Round(time.Second), used, until, expired)
	}
	return table.Flush()
}
