package pages

import (
	"fmt"
	"math"
	"slices"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/target/outage"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

// timelines draw, for each change that interrupted fetches, when they did not work: a line for
// each client.
func timelines(r *upgrade.Report) []string {
	var lines []string
	draw := func(title string, c *upgrade.Confirmation) {
		if c == nil || !slices.ContainsFunc(c.Clients, func(one outage.Client) bool { return len(one.Gaps) > 0 }) {
			return
		}
		lines = append(lines, title)
		for _, one := range c.Clients {
			lines = append(lines, fmt.Sprintf("  %-22s %s  down %.1f of %.0f s, fetches failed: %d", one.Name, timeline(one),
				one.Sum, one.Watched, one.Lost))
		}
	}
	for i := range r.Edges {
		o := &r.Edges[i]
		draw(render.Plain(o.From+" → "+o.To), o.Confirmed)
		draw(render.Plain(o.To+" → "+o.From+", rolled back"), o.RolledBack)
	}
	return lines
}

// columns is how many cells a timeline has at most.
const columns = 60

// timeline is a cell a second, or for as many as it takes: the higher, the more of it had no fetch
// that worked.
func timeline(c outage.Client) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	width := max(1, math.Ceil(c.Watched/columns)) // of a cell, in seconds
	cells := make([]rune, max(1, int(math.Ceil(c.Watched/width))))
	for i := range cells {
		from, down := float64(i)*width, 0.0
		for _, gap := range c.Gaps {
			down += max(0, min(from+width, gap.At+gap.Seconds)-max(from, gap.At))
		}
		level := int(math.Ceil(down / width * float64(len(levels)-1)))
		cells[i] = levels[min(level, len(levels)-1)]
	}
	return string(cells)
}
