package lint

// operatorRules look for what an operator finds out late: the installation works.
var operatorRules = []Rule{
	notesRule, routesRule, leaderTrafficRule, placementRule, restartingRule, annotationsRule, alertingRule, clientsRule,
	peersRule, tokensRule, admissionRule, settingsRule, standbyRule, waitsRule, serverFilesRule, initialisingRule,
	auditingRule, auditPathRule, reachingRule, nonsenseRule,
}
