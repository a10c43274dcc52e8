package lint

// releases compares the first base with its render under another release name.
func releases(s *subject) []Finding {
	var other *Case
	for _, c := range s.rendered() {
		if c.Kind == Renamed && c.Release == otherRelease {
			other = c
		}
	}
	if other == nil {
		return nil
	}
	var all []Finding
	for _, mine := range other.from.Objects {
		for _, theirs := range other.Objects {
			if mine.GVK.GroupKind() == theirs.GVK.GroupKind() && mine.Name == theirs.Name &&
				mine.namespace == theirs.namespace && mine.Name != "" {
				finding := at(mine, "metadata.name", "has the same name in every release")
				finding.Cases = []string{other.Name}
				all = append(all, finding)
			}
			p := theirs.pod()
			if p == nil {
				continue
			}
			for _, selection := range selections(mine) {
				if selection.services || selection.loose {
					continue
				}
				if matched, err := matches(selection.selector, p.meta.Labels, false); err == nil && matched {
					finding := at(mine, selection.path, "also selects the pods of "+theirs.ID()+" in another release")
					finding.Cases = []string{other.Name}
					all = append(all, finding)
				}
			}
		}
	}
	return all
}
