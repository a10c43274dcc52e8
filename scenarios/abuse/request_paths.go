package abuse

import (
	"net/http"
	"strings"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// requestPaths catch a path that is checked in one spelling and used in another. 307 is a redirect
// to the clean path, which is not followed.
func requestPaths() []scenario.Scenario {
	return scenario.Table(requestTable(),
		scenario.Row("abuse/path-parent", "A path through a parent directory reads nothing",
			path("{secret}/../OTHER", 307, 400, 403, 404)),
		scenario.Row("abuse/path-parent-of-other", "A path from one's own secret to another project's secret reads nothing",
			path("{secret}/../../../../../../{other}", 307, 400, 403, 404)),
		scenario.Row("abuse/path-parent-encoded", "An encoded parent directory reads nothing",
			path("{secret}/%2e%2e/OTHER", 307, 400, 403, 404)),
		scenario.Row("abuse/path-parent-encoded-slash", "An encoded slash after a parent directory reads nothing",
			path("{secret}/..%2f..%2f..%2f..%2f..%2f..%2f{other}", 307, 400, 403, 404)),
		scenario.Row("abuse/path-parent-encoded-twice", "A doubly encoded path reads nothing",
			path("{secret}/%252e%252e/OTHER", 307, 400, 403, 404)),
		scenario.Row("abuse/path-parent-overlong", "A parent directory in overlong UTF-8 reads nothing",
			path("{secret}/%c0%ae%c0%ae/OTHER", 307, 400, 403, 404)),
		scenario.Row("abuse/path-backslash", "A backslash does not act as a slash", path(`{secret}\..\OTHER`, 400, 403, 404)),
		scenario.Row("abuse/path-system", "A path from a secret to the system backend reads nothing",
			path("{secret}/../../../../../../../sys/mounts", 307, 400, 403, 404)),
		scenario.Row("abuse/path-system-encoded", "An encoded path from a secret to the system backend reads nothing",
			path("{secret}/..%2f..%2f..%2f..%2f..%2f..%2fsys%2fmounts", 307, 400, 403, 404)),
		scenario.Row("abuse/path-system-of-namespace",
			"A path from a namespace's system backend to the instance's reads nothing",
			path("{ns}/sys/../../../../sys/mounts", 307, 400, 403, 404)),
		scenario.Row("abuse/path-namespace-twice", "A repeated namespace in the path reads nothing",
			path("{ns}/{secret}", 400, 403, 404)),
		scenario.Row("abuse/path-namespace-root", "A path that starts with root reads nothing",
			path("root/{secret}", 400, 403, 404)),
		scenario.Row("abuse/path-namespace-of-other", "One's own login reads nothing of another project",
			path("{other}", 403)),
		scenario.Row("abuse/path-namespace-encoded", "Encoded slashes do not lead from one namespace to another",
			path("{ns}%2f..%2f..%2f..%2f{other}", 307, 400, 403, 404)),
		scenario.Row("abuse/path-trailing-slash", "A path with a trailing slash reads nothing",
			path("{secret}/", 307, 400, 403, 404)),
		scenario.Row("abuse/path-below", "A path below a secret reads nothing", path("{secret}/x", 400, 403, 404)),
		scenario.Row("abuse/path-nul", "A NUL after the name is refused", path("{secret}%00", 400, 403, 404)),
		scenario.Row("abuse/path-newline", "A newline after the name is refused", path("{secret}%0a", 400, 403, 404)),
		scenario.Row("abuse/path-no-utf8", "Bytes that are not UTF-8 are refused",
			path("{secret}%ff%fe", 400, 403, 404)),
		scenario.Row("abuse/path-semicolon", "A semicolon is part of the name", path("{secret};x", 400, 403, 404)),
		scenario.Row("abuse/path-wildcard", "A star is an ordinary character in a name", path("{folder}/*", 400, 403, 404)),
		scenario.Row("abuse/path-wildcard-plus", "A plus is an ordinary character in a name",
			path("{folder}/+", 400, 403, 404)),
		scenario.Row("abuse/path-long", "A name of 8,000 letters is refused",
			path("{folder}/"+strings.Repeat("A", 8000), 400, 403, 404, 414, 431)),
		scenario.Row("abuse/path-deep", "A path of 5,000 parts is refused",
			path("{folder}/"+strings.Repeat("a/", 5000)+"x", 400, 403, 404, 414, 431)),
		// Other spellings of the same path read the same secret, or are refused.
		scenario.Row("abuse/path-double-slash", "A double slash counts as one, or is refused",
			samePath("{folder}//{name}", 307, 400, 403, 404)),
		scenario.Row("abuse/path-dot", "A dot in a path is ignored, or is refused",
			samePath("{folder}/./{name}", 307, 400, 403, 404)),
		scenario.Row("abuse/path-slash-encoded", "An encoded slash counts as a slash, or is refused",
			samePath("{folder}%2f{name}", 400, 403, 404)),
		scenario.Row("abuse/path-query", "An unknown query parameter changes nothing",
			samePath("{secret}?steamer=1", 400)),
	)
}

// path requests a path that must return nothing.
func path(path string, want ...int) scenario.Test { return request{path: path, want: want}.test }

// samePath requests another spelling of the secret's path, which returns the secret or is refused.
func samePath(path string, want ...int) scenario.Test {
	return request{path: path, want: append(want, http.StatusOK), value: true}.test
}
