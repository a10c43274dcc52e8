package images

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes images, and which of them are in the cache.
func WriteTable(out io.Writer, list []Image) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "IMAGE\tREFERENCE\tSIZE\tID")
	for _, image := range list {
		size, digest := "not built", "-"
		if image.Ref == "" { // its tag covers versions that Debian's mirror was not asked for yet
			image.Ref = "-"
		}
		if image.Digest != "" {
			size, digest = fmt.Sprintf("%d MiB", image.Size>>20), image.Digest[:19]
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", image.Name, image.Ref, size, digest)
	}
	return w.Flush()
}
