package check

import (
	"strings"

	"gitlab.com/steamer/steamer/harness/history"
)

// loss is the time in which a database acknowledged what the one that took its place may lack.
type loss struct{ since, until int64 }

// weaken takes from operations what a database may have lost: what it acknowledged may have
// happened or not, and what was read from it proves nothing. Keys of an issuer are not stored
// there.
func (c *checker) weaken() {
	if len(c.losses) == 0 {
		return
	}
	for _, ops := range c.secrets {
		c.weakenAll(ops)
	}
	for name, s := range c.subjects {
		_, rest, _ := strings.Cut(name, "/")
		if key := strings.HasPrefix(rest, "key:"); !key {
			c.weakenAll(s.ops)
		}
	}
}

func (c *checker) weakenAll(ops []record) {
	for i := range ops {
		o := &ops[i]
		for _, l := range c.losses {
			if o.call > l.until || o.ret < l.since || o.kind == history.Expire {
				continue
			}
			switch {
			case o.kind == history.Read || o.kind == history.Use || o.result == history.Mismatch:
				o.result = history.Failed
			case o.result == history.OK:
				o.result = history.Unknown
				c.report.Doubtful++
				if !o.asked {
					o.version = 0
				}
			}
		}
	}
}
