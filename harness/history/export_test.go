package history

// OutcomeRows are the names of the table's rows, each with its reason.
func OutcomeRows() map[string]string {
	rows := map[string]string{}
	for _, rule := range outcomes {
		rows[rule.id] = rule.because
	}
	return rows
}
