package stack

import (
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/gitlab/graphql"
)

// elsewhere is an environment and a branch that no job has.
const elsewhere = "steamer-elsewhere"

func managerActive(p *project) {
	p.refuses(p.API.Initialize(p.Context, p.Project), "already")
	status, err := p.API.Status(p.Context, p.Project)
	require.NoError(p.T, err)
	require.Equal(p.T, graphql.Active, status)
}

func createThenFetch(p *project) {
	const value = "first value, with \"quotes\", a \\ and ü"
	name, remove := p.create(value, gitlab.Any, gitlab.Any)
	defer remove()
	p.gets(name, value)
	found, err := p.API.Secret(p.Context, p.Project, name)
	require.NoError(p.T, err)
	require.NotNil(p.T, found)
	require.Equal(p.T, graphql.Secret{
		Name: name, Description: found.Description, Environment: gitlab.Any,
		Branch: gitlab.Any, MetadataVersion: 2,
	}, *found)
}

func createTwice(p *project) {
	name, remove := p.create("first", gitlab.Any, gitlab.Any)
	defer remove()
	err := p.API.Create(p.Context, p.Project, graphql.NewSecret{
		Name: name, Value: "second", Environment: gitlab.Any,
		Branch: gitlab.Any,
	})
	p.refuses(err, "already exists")
	p.gets(name, "first")
}

// version is the metadata version of a secret, which a change has to name.
func (p *project) version(name string) int {
	p.Helper()
	found, err := p.API.Secret(p.Context, p.Project, name)
	require.NoError(p.T, err)
	require.NotNil(p.T, found, "%s does not exist", name)
	return found.MetadataVersion
}

func updateThenFetch(p *project) {
	name, remove := p.create("first", gitlab.Any, gitlab.Any)
	defer remove()
	p.gets(name, "first")
	second := "second"
	require.NoError(p.T, p.API.Update(p.Context, p.Project, name, graphql.Change{
		Value:       &second,
		MetadataCAS: p.version(name),
	}))
	p.gets(name, second)
}

func updateConflict(p *project) {
	name, remove := p.create("first", gitlab.Any, gitlab.Any)
	defer remove()
	old, second, lost := p.version(name), "second", "lost"
	require.NoError(p.T, p.API.Update(p.Context, p.Project, name, graphql.Change{Value: &second, MetadataCAS: old}))
	p.refuses(p.API.Update(p.Context, p.Project, name, graphql.Change{Value: &lost, MetadataCAS: old}), "")
	p.gets(name, second)
}

func deleteThenFetch(p *project) {
	name, remove := p.create("gone soon", gitlab.Any, gitlab.Any)
	defer remove()
	p.gets(name, "gone soon")
	require.NoError(p.T, p.API.Delete(p.Context, p.Project, name))
	a := p.fetch(name)
	// A job that may still read other secrets may learn that this one does not exist.
	require.True(p.T, a.Status == http.StatusForbidden || a.Status == http.StatusNotFound, "%s: %v, want 403 or 404", name,
		a)
	found, err := p.API.Secret(p.Context, p.Project, name)
	require.NoError(p.T, err)
	require.Nil(p.T, found, "GitLab still lists it")
}

func listing(p *project) {
	const value = "a value that no list holds"
	name, remove := p.create(value, "production", gitlab.Any)
	defer remove()
	all, err := p.API.Secrets(p.Context, p.Project)
	require.NoError(p.T, err)
	found := 0
	for _, s := range all {
		require.NotContains(p.T, s.Description, value)
		if s.Name == name {
			found++
			require.Equal(p.T, "production", s.Environment)
			require.Equal(p.T, gitlab.Any, s.Branch)
		}
	}
	require.Equal(p.T, 1, found, "%s in the list of %d", name, len(all))
}

func valueLimit(p *project) {
	longest := strings.Repeat("0123456789", 1000)
	name, remove := p.create(longest, gitlab.Any, gitlab.Any)
	defer remove()
	p.gets(name, longest)
	longer := longest + "x"
	p.refuses(p.API.Update(p.Context, p.Project, name, graphql.Change{Value: &longer, MetadataCAS: p.version(name)}),
		"10k bytes")
	p.gets(name, longest)
}

func badName(p *project) {
	for _, name := range []string{"", "WITH SPACE", "WITH-HYPHEN", "../UP", "A/B", "ÜMLAUT", strings.Repeat("A", 256)} {
		err := p.API.Create(p.Context, p.Project, graphql.NewSecret{
			Name: name, Value: "x", Environment: gitlab.Any,
			Branch: gitlab.Any,
		})
		p.refuses(err, "")
	}
}

func nobody(p *project) {
	name, remove := p.create("not for everybody", gitlab.Any, gitlab.Any)
	defer remove()
	_, err := p.Nobody.Secrets(p.Context, p.Project)
	p.refuses(err, "")
	_, err = p.Nobody.Secret(p.Context, p.Project, name)
	p.refuses(err, "")
	other := "written by nobody"
	p.refuses(p.Nobody.Update(p.Context, p.Project, name, graphql.Change{Value: &other, MetadataCAS: p.version(name)}), "")
	p.refuses(p.Nobody.Delete(p.Context, p.Project, name), "")
	p.gets(name, "not for everybody")
}

func jobMatrix(p *project) {
	branch := p.Job.Ref
	if p.Job.RefType != "branch" {
		branch = "" // a tag's job has none
	}
	fits := func(restriction, own string) bool {
		return restriction == gitlab.Any || own != "" && restriction == own
	}
	read, refused := 0, 0
	for _, environment := range []string{gitlab.Any, p.Job.Environment, elsewhere, wild(p.Job.Environment)} {
		for _, ref := range []string{gitlab.Any, p.Job.Ref, elsewhere, wild(p.Job.Ref)} {
			if environment == "" || ref == "" {
				continue
			}
			value := "for " + environment + " at " + ref
			name, remove := p.create(value, environment, ref)
			a := p.fetch(name)
			remove()
			switch want := fits(environment, p.Job.Environment) && fits(ref, branch); {
			case want && (!a.OK() || a.Value() != value):
				p.Errorf("environment %q, branch %q: %v, want the value", environment, ref, a)
			case !want && a.Status != http.StatusForbidden:
				p.Errorf("environment %q, branch %q: %v, want 403", environment, ref, a)
			case want:
				read++
			default:
				refused++
			}
		}
	}
	require.NotZero(p.T, read)
	require.NotZero(p.T, refused)
	p.Measure("read", float64(read))
	p.Measure("refused", float64(refused))
}

// wild is a pattern that would match a name if patterns were evaluated.
func wild(name string) string {
	if name == "" {
		return ""
	}
	return name[:1] + "*"
}

func restrictionMoved(p *project) {
	name, remove := p.create("here", gitlab.Any, gitlab.Any)
	defer remove()
	p.gets(name, "here")
	away, back := elsewhere, gitlab.Any
	require.NoError(p.T, p.API.Update(p.Context, p.Project, name,
		graphql.Change{Branch: &away, MetadataCAS: p.version(name)}))
	a := p.fetch(name)
	require.Equal(p.T, http.StatusForbidden, a.Status, "%s is for another branch now: %v", name, a)
	require.NoError(p.T, p.API.Update(p.Context, p.Project, name,
		graphql.Change{Branch: &back, MetadataCAS: p.version(name)}))
	p.gets(name, "here")
}
