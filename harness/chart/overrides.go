package chart

// ReadOverrides merges values files, and after them assignments as ParseSet takes them; later ones
// win. Errors are of code exit.Invalid.
func ReadOverrides(files, assignments []string) (map[string]any, error) {
	merged := map[string]any{}
	for _, path := range files {
		values, err := ReadValues(path)
		if err != nil {
			return nil, err
		}
		merged = Merge(merged, values)
	}
	for _, assignment := range assignments {
		values, err := ParseSet(assignment)
		if err != nil {
			return nil, err
		}
		merged = Merge(merged, values)
	}
	return merged, nil
}
