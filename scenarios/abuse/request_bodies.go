package abuse

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/scenario"
)

func requestBodies() []scenario.Scenario {
	wide := map[string]any{}
	for i := range 20_000 {
		wide[strings.Repeat("k", i%7)+string(rune('a'+i%26))+time.Duration(i).String()] = i
	}
	const no = http.StatusForbidden
	return scenario.Table(requestTable(),
		// Catches: a request limit that is missing or too high, so that any sender can fill the
		// memory.
		scenario.About(scenario.SubjectChart, scenario.Row("abuse/body-large", "A body of more than 768 KiB is refused",
			message("POST", "{secret}", map[string]any{"data": map[string]any{"value": strings.Repeat("x", 768<<10)}}, 400,
				413))),
		scenario.About(scenario.SubjectChart, scenario.Row("abuse/body-deep", "A body nested 5,000 levels deep is refused",
			message("POST", "{secret}", json.RawMessage(strings.Repeat(`{"a":`, 5000)+"1"+strings.Repeat("}", 5000)), 400, no,
				413))),
		scenario.Row("abuse/body-wide", "A body of 20,000 fields is refused",
			message("POST", "{secret}", wide, 400, no, 413)),
		scenario.Row("abuse/body-list", "A body that is a list is refused",
			message("POST", "{secret}", []int{1}, 400, no)),
		scenario.Row("abuse/body-text", "A body that is text is refused", message("POST", "{secret}", "x", 400, no)),
		scenario.Row("abuse/body-with-get", "A GET with a body does not write",
			message("GET", "{folder}/STEAMER_NONE", map[string]any{"data": map[string]any{"value": "x"}}, 400, no, 405)),
		// Catches: a method without a handler of its own.
		scenario.Row("abuse/method-head", "HEAD of a secret is refused", message("HEAD", "{secret}", nil, no, 405)),
		scenario.Row("abuse/method-options", "OPTIONS of a secret is refused",
			request{
				method: "OPTIONS", path: "{secret}", want: []int{no, 405}, later: answers{"2.6.2", []int{400}},
			}.test),
		scenario.Row("abuse/method-trace", "TRACE of a secret is refused",
			message("TRACE", "{secret}", nil, no, 405)),
		scenario.Row("abuse/method-patch", "PATCH of a secret is refused",
			message("PATCH", "{secret}", map[string]any{"data": map[string]any{}}, 400, no, 405, 415)),
		scenario.Row("abuse/method-unknown", "An unknown method is refused",
			message("STEAMER", "{secret}", nil, 400, no, 405, 501)),
	)
}

// message sends a method and a body.
func message(method, path string, body any, want ...int) scenario.Test {
	return request{method: method, path: path, body: body, want: want}.test
}
