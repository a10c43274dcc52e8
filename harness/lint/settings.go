package lint

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/lint/mutate"
)

var settingsRules = []Rule{{
	ID: "server/safe", Title: "no setting of OpenBao opens it, or cuts it off", Severity: Error,
	Protects: "One line of the configuration gives away the store, keeps tokens alive for years, or hides every " +
		"metric, and the installation works.",
	Hint: "leave the setting out, or make it a value that is off",
	Detail: "Reads the bases' configurations: settings that open the raw store, the router or profiles, " +
		"TLS before 1.2, leases beyond 768 h, metrics that are forgotten within 2 min or are named after pods, " +
		"time limits of listeners that cut answers off, answers for any web page, and no patience for the database, or " +
		"no end of it (a warning). A setting that only a " +
		"switch changes is the user's choice.",
	each: safeSettings,
}}

// setting is a row of settings.yaml.
type setting struct {
	Setting string   `json:"setting"`
	Is      []string `json:"is"`
	Not     string   `json:"not"`
	Least   string   `json:"least"`
	Most    string   `json:"most"`
	Has     string   `json:"has"`
	Unset   string   `json:"unset"`
	Says    string   `json:"says"`

	Severity Severity `json:"severity"`
}

//go:embed settings.yaml
var settingsText []byte

var settings = sync.OnceValue(func() (rows []setting) {
	if err := document.YAML(settingsText, &rows); err != nil {
		panic(err) // a test reads it
	}
	return rows
})

func safeSettings(_ *subject, c *Case) []Finding {
	if c.Kind != Base {
		return nil
	}
	var all []Finding
	for _, server := range serverConfigs(c) {
		for _, row := range settings() {
			inner, ofListener := strings.CutPrefix(row.Setting, "listener.")
			if !ofListener {
				all = append(all, row.judge(server, server.tree, row.Setting)...)
				continue
			}
			server.object.listeners(func(of *config, l block) {
				if fields, _ := plain(l.fields).(map[string]any); of == server {
					all = append(all, row.judge(server, fields, inner)...)
				}
			})
		}
	}
	return all
}

// judge looks at one setting below a block.
func (row setting) judge(server *config, within map[string]any, name string) []Finding {
	path := key(name)
	value, set := mutate.Get(within, path)
	if !set {
		if _, block := mutate.Get(within, path[:len(path)-1]); row.Unset == "" || len(path) > 1 && !block {
			return nil
		}
		value = row.Unset
	}
	text := strings.ToLower(fmt.Sprint(value))
	switch {
	case len(row.Is) > 0 && !slices.Contains(row.Is, text):
	case row.Not != "" && strings.Contains(text, row.Not):
	case row.Has != "" && !strings.Contains(text, row.Has):
		text = "without " + row.Has // the value may hold a password
	case row.Least != "" && seconds(value) < seconds(row.Least):
	case row.Most != "" && seconds(value) > seconds(row.Most):
	default:
		return nil
	}
	finding := at(server.object, server.path+"."+row.Setting, fmt.Sprintf("is %s: %s", text, row.Says))
	finding.Severity = row.Severity
	return []Finding{finding}
}
