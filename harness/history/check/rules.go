package check

// Rule is an invariant: what a violation of it is called, and what it promises.
type Rule struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Promises string `json:"promises"`
}

// Rules are the invariants, in the order in which reports list them.
func Rules() []Rule { return rules }

// titleOf is the title of the invariant of an ID.
func titleOf(id string) string {
	for _, rule := range rules {
		if rule.ID == id {
			return rule.Title
		}
	}
	return ""
}

var rules = []Rule{
	{"C1", "one write for each version", "no two writes are acknowledged with one version, and check-and-set is obeyed"},
	{"C2", "a version has its writer's value", "what is read was written, once, under the version that was acknowledged"},
	{"C3", "versions follow real time", "a write that begins after another has ended gets a higher version"},
	{
		"C4", "reads are not stale, and not ahead",
		"a read sees all that ended before it began, and nothing that begins later",
	},
	{"C5", "acknowledged versions stay", "a version is there until it is too old, or its secret is removed (S1)"},
	{"C6", "versions have no gaps", "each version between two others was written by a request without an answer"},
	{"LIN", "one order explains everything", "operations that versions do not order have one order all the same"},
	{"S2", "revoked access is refused", "no request that begins after a revocation was acknowledged is granted"},
	{"S3", "rotated keys", "tokens of a key that was removed are refused after the documented time"},
	{"S4", "lifetimes end", "a token is refused after its time to live"},
	{"S5", "only a serving pod answers", "a pod that is down, frozen or sealed answers no request for data"},
	{"S6", "one leader", "a term has one pod, and no commit of an older term follows one of a newer"},
	{"S8", "granted access stays", "what is granted stays granted without a revocation, also after a restart or takeover"},
	{"S9", "audit", "each answer has its audit records, once, and no record has a value"},
	{
		"S10", "deleted stays deleted",
		"a deleted version needs an undelete, a destroyed one never returns, no tenant sees another's",
	},
	{"S11", "the server starts", "whatever was interrupted, the server starts again and a retry converges"},
	{"S13", "no pod ends by itself", "a pod that was not ended goes on, without a panic, and does not stay sealed"},
}
