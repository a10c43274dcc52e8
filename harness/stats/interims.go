package stats

import "fmt"

// Interims plans a test with interim analyses of data that grow: after
// Every pairs, and once more at the end, after at most Max. An analysis may use of
// Alpha the share of Max that its new pairs are, and the last one what is left.
// The shares add up to Alpha, so by the union bound a true hypothesis is rejected
// in any of the analyses with a probability of at most Alpha, whatever the data and
// however the analyses depend on each other. That is alpha spending with the linear
// function of Kim and DeMets ("Design and Analysis of Group Sequential Tests Based
// on the Type I Error Spending Rate Function", Biometrika 74 (1987), 149-154)
// without using the dependence of the analyses: simple, safe, somewhat conservative.
type Interims struct {
	Alpha      float64 // of the whole test, one-sided
	Every, Max int     // pairs
}

// Check refuses plans that cannot be carried out.
func (l Interims) Check() error {
	switch {
	case !(l.Alpha > 0 && l.Alpha < 0.5):
		return fmt.Errorf("alpha %v: want more than 0 and less than 0.5", l.Alpha)
	case l.Every < 1 || l.Max < 1:
		return fmt.Errorf("an interim analysis every %d of %d pairs: want 1 or more of each", l.Every, l.Max)
	}
	return nil
}

// Due says whether an analysis is due after n pairs.
func (l Interims) Due(n int) bool { return n > 0 && (n%l.Every == 0 || n >= l.Max) }

// Level is the one-sided level of an analysis after n pairs, previous of which the
// one before has seen. last says that none follows, which may come before Max
// for a reason that is not in the data, such as the end of the time.
func (l Interims) Level(previous, n int, last bool) float64 {
	if last || n >= l.Max {
		n = l.Max
	}
	return l.Alpha * float64(max(0, n-previous)) / float64(l.Max)
}
