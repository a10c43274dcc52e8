package protocol

import (
	"fmt"
	"maps"
	"slices"

	"gitlab.com/steamer/steamer/harness/gitlab"
)

// model is what may be read according to what was asked for last, acknowledged or not. It never
// learns what was observed.
type model struct {
	enabled bool
	secrets map[string]asked
	users   map[int][]string // the actions that each may do
	names   []string         // of all secrets that were ever asked for, in order
	people  []int            // that permissions were ever asked for
}

// asked is a secret as it was asked for.
type asked struct {
	environment, branch string
	value               int
}

func newModel() *model { return &model{secrets: map[string]asked{}, users: map[int][]string{}} }

func (m *model) clone() *model {
	return &model{m.enabled, maps.Clone(m.secrets), maps.Clone(m.users), slices.Clone(m.names), slices.Clone(m.people)}
}

// ask takes note of a request with an effect.
func (m *model) ask(effect string, q Request) {
	if q.Secret != "" && !slices.Contains(m.names, q.Secret) {
		m.names = append(m.names, q.Secret)
	}
	if q.User != 0 && !slices.Contains(m.people, q.User) {
		m.people = append(m.people, q.User)
	}
	switch effect {
	case provision:
		m.enabled = true
	case deprovision:
		m.enabled = false
		clear(m.secrets)
		clear(m.users)
	case create:
		m.secrets[q.Secret] = asked{q.Environment, q.Branch, q.Value}
	case update:
		s := m.secrets[q.Secret]
		if q.Environment != "" {
			s.environment = q.Environment
		}
		if q.Branch != "" {
			s.branch = q.Branch
		}
		if q.Value != 0 {
			s.value = q.Value
		}
		m.secrets[q.Secret] = s
	case remove:
		delete(m.secrets, q.Secret)
	case permit:
		m.users[q.User] = q.Actions
	case forbid:
		delete(m.users, q.User)
	}
}

// reader is a job or a user who may be able to read.
type reader struct {
	environment, branch string // of a job
	user                int    // or of a user
	values              bool   // through the API, not only that the secret is there
}

// String names the reader.
func (r reader) String() string {
	switch {
	case r.values:
		return fmt.Sprintf("user %d by the API", r.user)
	case r.user != 0:
		return fmt.Sprintf("user %d (metadata)", r.user)
	case r.environment == "":
		return "job of no environment, " + r.branch
	}
	return "job of " + r.environment + ", " + r.branch
}

// readers are all whose access is tried: jobs of each kind, and the users.
func (m *model) readers() []reader {
	var list []reader
	for _, environment := range []string{"production", "staging", ""} {
		for _, branch := range []string{"main", "feature"} {
			list = append(list, reader{environment: environment, branch: branch})
		}
	}
	for _, user := range m.people {
		list = append(list, reader{user: user}, reader{user: user, values: true})
	}
	return list
}

// everything reports whether the reader sees every name alike: permissions of users are for all
// secrets, so that a missing one is no access to it.
func (r reader) everything() bool { return r.user != 0 }

// nothing is the expectation that a read is refused.
const nothing = 0

// expect is the value that a reader has to get of a secret, or nothing.
func (m *model) expect(r reader, name string) int {
	s, there := m.secrets[name]
	if !there || !m.enabled {
		return nothing
	}
	may := (s.environment == gitlab.Any || s.environment == r.environment) &&
		(s.branch == gitlab.Any || s.branch == r.branch)
	if r.user != 0 {
		action := "read"
		if r.values {
			action = "read_value"
		}
		may = slices.Contains(m.users[r.user], action)
	}
	if !may {
		return nothing
	}
	return s.value
}
