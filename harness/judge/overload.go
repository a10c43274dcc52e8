package judge

// Overload reports whether a validity condition, by its ID, is one that a subject misses because
// it does not carry the load that it is offered. Every other condition is missed where a
// measurement is disturbed.
func Overload(condition string) bool {
	switch condition {
	case "valid/dropped-iterations", "valid/achieved-rate", "valid/interrupted-fetches", "valid/drain":
		return true
	}
	return false
}
