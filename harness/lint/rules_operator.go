package lint

import "slices"

// operatorRules look for what an operator finds out late: the installation works.
func operatorRules() []Rule {
	return slices.Concat(notesRules, routesRules, leaderTrafficRules, placementRules, restartingRules, annotationsRules,
		alertingRules, clientsRules, peersRules, tokensRules, admissionRules, settingsRules, standbyRules, waitsRules,
		serverFilesRules, initialisingRules, auditingRules, auditPathRules, reachingRules, nonsenseRules)
}
