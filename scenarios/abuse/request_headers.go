package abuse

import (
	"net/http"
	"strings"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
)

const inline = "X-Vault-Inline-Auth-"

func requestHeaders() []scenario.Scenario {
	return scenario.Table(requestTable(),
		// Catches: two logins, of which one is checked and the other used.
		scenario.Row("abuse/header-two-paths", "A request with two login paths is refused",
			headers("expected exactly one value", func(h http.Header, a, _ gitlab.Tenant) { h.Add(inline+"Path", a.AuthPath) },
				400, 500)),
		scenario.Row("abuse/header-token", "A token beside an inline login is refused",
			headers("cannot layer", setHeader(openbao.HeaderToken, "no-token"), 400, 403, 500)),
		scenario.Row("abuse/header-bearer", "A bearer token beside an inline login is refused",
			headers("cannot layer", setHeader("Authorization", "Bearer no-token"), 400, 403, 500)),
		// Catches: a missing login treated as no login needed. OpenBao 2.4.0 answers as for any
		// path without a mount.
		scenario.Row("abuse/header-unknown-mount", "A login path that is not mounted is refused",
			headers("", func(h http.Header, a, _ gitlab.Tenant) { h.Set(inline+"Path", a.Name+"/auth/none/login") }, 403, 404)),
		scenario.Row("abuse/header-no-path", "An empty login path is refused",
			headers("", setHeader(inline+"Path", ""), 400, 403)),
		scenario.Row("abuse/header-path-of-system", "A login path that is not a login is refused",
			headers("", setHeader(inline+"Path", "sys/health"), 403, 404, 405)),
		scenario.Row("abuse/header-path-of-other", "Another project's login is refused",
			headers("project", func(h http.Header, _, b gitlab.Tenant) {
				h.Set(inline+"Path", b.AuthPath)
				h.Set(inline+"Parameter-Role", openbao.Parameter("role", b.Role))
			}, 400)),
		scenario.Row("abuse/header-no-role", "A login without a role is refused",
			headers("missing role", func(h http.Header, _, _ gitlab.Tenant) { h.Del(inline + "Parameter-Role") }, 400)),
		scenario.Row("abuse/header-no-token", "A login without a JWT is refused",
			headers("missing token", func(h http.Header, _, _ gitlab.Tenant) { h.Del(inline + "Parameter-Jwt") }, 400)),
		scenario.Row("abuse/header-unknown-role", "A role that does not exist is refused",
			headers("could not be found", setHeader(inline+"Parameter-Role", openbao.Parameter("role", "none")), 400)),
		scenario.Row("abuse/header-parameter-encoding", "A parameter that is not base64 is refused",
			headers("base64", setHeader(inline+"Parameter-Role", "!!!"), 400, 500)),
		scenario.Row("abuse/header-parameter-json", "A parameter that is not JSON is refused",
			headers("json", setHeader(inline+"Parameter-Role", "bm90IGpzb24"), 400, 500)),
		scenario.Row("abuse/header-nothing", "A request without a login is refused",
			headers("permission denied", func(h http.Header, _, _ gitlab.Tenant) { clear(h) }, 403)),
		// Catches: a namespace header that moves a request, or its login, into another namespace.
		scenario.Row("abuse/header-namespace", "A namespace header in addition to the path is refused",
			headers("permission denied", func(h http.Header, a, _ gitlab.Tenant) { h.Set("X-Vault-Namespace", a.Name) }, 403)),
		scenario.Row("abuse/header-namespace-of-other", "Another project's namespace header is refused",
			headers("permission denied", func(h http.Header, _, b gitlab.Tenant) { h.Set("X-Vault-Namespace", b.Name) }, 403)),
		scenario.Row("abuse/header-login-namespace-of-other", "Another project's namespace for the login is refused",
			headers("permission denied", func(h http.Header, _, b gitlab.Tenant) { h.Set(inline+"Namespace", b.Name) }, 403)),
		// Catches: internal operations that clients can reach.
		scenario.Row("abuse/header-operation-read", "A login through another operation is refused",
			headers("", setHeader(inline+"Operation", "read"), 400, 403, 405)),
		scenario.Row("abuse/header-operation-revoke", "A login through an internal operation is refused",
			headers("", setHeader(inline+"Operation", "revoke"), 400, 403, 405, 500)),
		scenario.Row("abuse/header-operation-rollback", "A login through the rollback operation is refused",
			request{
				path: "{secret}", headers: setHeader(inline+"Operation", "rollback"), want: []int{400, 403, 404, 405},
				later: answers{"2.6.2", []int{500}}, // a 5xx for a client error, which is logged
			}.test),
		scenario.Row("abuse/header-large", "Headers of more than 1 MiB are refused",
			headers("", setHeader("X-Padding", strings.Repeat("x", 1<<20+8<<10)), 400, 413, 431)),
	)
}

// setHeader is a change of headers that depends on no tenant.
func setHeader(name, value string) func(h http.Header, _, _ gitlab.Tenant) {
	return func(h http.Header, _, _ gitlab.Tenant) { h.Set(name, value) }
}

// headers changes the headers of a good request and expects one of the statuses, with this text.
func headers(text string, change func(h http.Header, tenant, other gitlab.Tenant), want ...int) scenario.Test {
	return request{path: "{secret}", headers: change, text: text, want: want}.test
}
