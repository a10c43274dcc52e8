package stats

import "fmt"

// Looks plans a test that looks at its data several times while they grow: after
// Every pairs, and once more at the end, after at most Max. A look may use of
// Alpha the share of Max that its new pairs are, and the last look what is left.
// The shares add up to Alpha, so by the union bound a true hypothesis is rejected
// at any of the looks with a probability of at most Alpha, whatever the data and
// however the looks depend on each other. That is alpha spending with the linear
// function of Kim and DeMets ("Design and Analysis of Group Sequential Tests Based
// on the Type I Error Spending Rate Function", Biometrika 74 (1987), 149-154)
// without using the dependence of the looks: simple, safe, somewhat conservative.
type Looks struct {
	Alpha      float64 // of the whole test, one-sided
	Every, Max int     // pairs
}

// Check refuses plans that cannot be carried out.
func (l Looks) Check() error {
	switch {
	case !(l.Alpha > 0 && l.Alpha < 0.5):
		return fmt.Errorf("alpha %v: want more than 0 and less than 0.5", l.Alpha)
	case l.Every < 1 || l.Max < 1:
		return fmt.Errorf("a look every %d of %d pairs: want 1 or more of each", l.Every, l.Max)
	}
	return nil
}

// Due says whether to look after n pairs.
func (l Looks) Due(n int) bool { return n > 0 && (n%l.Every == 0 || n >= l.Max) }

// Level is the one-sided level of a look after n pairs, previous of which the
// look before has seen. last says that no look follows, which may come before Max
// for a reason that is not in the data, such as the end of the time.
func (l Looks) Level(previous, n int, last bool) float64 {
	if last || n >= l.Max {
		n = l.Max
	}
	return l.Alpha * float64(max(0, n-previous)) / float64(l.Max)
}
