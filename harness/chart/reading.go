package chart

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template/parse"

	"helm.sh/helm/v3/pkg/chart"
)

// reading says by which names the templates of a chart can read values: what a template does not
// name, and nothing that it includes, has no influence on it.
type reading struct {
	files     map[*chart.File]*text
	defined   map[string][]*text // by the name of the template
	reached   map[*chart.File]reach
	evaluated *text    // values and files that are templates themselves, which tpl renders
	apis      []string // of custom resources, that templates name
	asksAPIs  bool     // for the cluster's API versions
	asksKube  bool     // for its Kubernetes version
}

// text is a template, or a definition in one.
type text struct {
	file     *chart.File
	words    map[string]bool // keys of values that it may read
	includes []string        // names of templates
	endings  []string        // of the files' names that it includes by a name that it computes
	any      bool            // reads by names, or includes what, cannot be told
	tpl      bool            // renders values
}

// read parses the templates of a chart and its sub-charts.
func read(c *chart.Chart) *reading {
	r := &reading{files: map[*chart.File]*text{}, defined: map[string][]*text{}, reached: map[*chart.File]reach{}}
	r.evaluated = &text{words: map[string]bool{}}
	r.chart(c)
	slices.Sort(r.apis)
	r.apis = slices.Compact(r.apis)
	return r
}

func (r *reading) chart(c *chart.Chart) {
	for _, file := range c.Templates {
		own := &text{file: file, words: map[string]bool{}}
		r.files[file] = own
		trees := parseTemplate(string(file.Data))
		own.any = trees == nil
		for name, tree := range trees {
			one := own
			if name != "" {
				one = &text{file: file, words: map[string]bool{}}
				r.defined[name] = append(r.defined[name], one)
			}
			one.node(tree.Root)
		}
		r.apis = append(r.apis, named(string(file.Data))...)
		r.asksAPIs = r.asksAPIs || strings.Contains(string(file.Data), "APIVersions")
		r.asksKube = r.asksKube || strings.Contains(string(file.Data), ".KubeVersion")
	}
	r.value(c.Values)
	for _, file := range c.Files {
		r.value(string(file.Data))
	}
	for _, dependency := range c.Dependencies() {
		r.chart(dependency)
	}
}

// parseTemplate returns the trees of a template, its own without a name; nil for what is none.
func parseTemplate(source string) map[string]*parse.Tree {
	trees := map[string]*parse.Tree{}
	tree := parse.New("")
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(source, "", "", trees); err != nil {
		return nil
	}
	return trees
}

// value reads the templates in values.
func (r *reading) value(value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, below := range value {
			r.value(below)
		}
	case []any:
		for _, below := range value {
			r.value(below)
		}
	case string:
		if len(value) < 100 {
			r.apis = append(r.apis, named(`"`+value+`"`)...)
		}
		if strings.Contains(value, "{{") {
			for _, tree := range parseTemplate(value) {
				r.evaluated.node(tree.Root)
			}
		}
	}
}

// node collects what a template and what is below a part of it names.
func (t *text) node(node parse.Node) {
	switch node := node.(type) {
	case *parse.ListNode:
		if node != nil {
			for _, below := range node.Nodes {
				t.node(below)
			}
		}
	case *parse.ActionNode:
		t.node(node.Pipe)
	case *parse.IfNode:
		t.branch(&node.BranchNode)
	case *parse.RangeNode:
		t.branch(&node.BranchNode)
	case *parse.WithNode:
		t.branch(&node.BranchNode)
	case *parse.TemplateNode:
		t.includes = append(t.includes, node.Name)
		t.node(node.Pipe)
	case *parse.PipeNode:
		if node != nil {
			for _, command := range node.Cmds {
				t.command(command)
			}
		}
	case *parse.FieldNode:
		t.names(node.Ident)
	case *parse.VariableNode:
		t.names(node.Ident[1:])
	case *parse.ChainNode:
		t.node(node.Node)
		t.names(node.Field)
	case *parse.StringNode:
		t.words[node.Text] = true
		t.any = t.any || node.Text == "Values"
		for _, word := range notWord.Split(node.Text, -1) {
			t.words[word] = true
		}
	}
}

var notWord = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

func (t *text) branch(node *parse.BranchNode) {
	t.node(node.Pipe)
	t.node(node.List)
	t.node(node.ElseList)
}

// names takes the fields of a chain. Values as a whole are read by names that only its user knows.
func (t *text) names(fields []string) {
	for i, field := range fields {
		t.words[field] = true
		if field == "Values" && i == len(fields)-1 {
			t.any = true
		}
	}
}

// command collects what a command of a pipeline names, and what it includes.
func (t *text) command(command *parse.CommandNode) {
	for _, arg := range command.Args {
		t.node(arg)
	}
	function, isFunction := command.Args[0].(*parse.IdentifierNode)
	if !isFunction {
		return
	}
	switch function.Ident {
	case "tpl":
		t.tpl = true
	case "include":
		if len(command.Args) < 2 {
			t.any = true // the name is piped into it
			return
		}
		if name, isText := command.Args[1].(*parse.StringNode); isText {
			t.includes = append(t.includes, name.Text)
			return
		}
		ending := fileEnding(command.Args[1])
		t.any = t.any || ending == ""
		t.endings = append(t.endings, ending)
	}
}

// fileEnding is how the name ends in an expression such as (print $.Template.BasePath
// "/config.yaml"), which names a file; empty for any other.
func fileEnding(node parse.Node) string {
	pipe, isPipe := node.(*parse.PipeNode)
	if !isPipe || len(pipe.Cmds) != 1 {
		return ""
	}
	args := pipe.Cmds[0].Args
	if last, isText := args[len(args)-1].(*parse.StringNode); isText && strings.HasPrefix(last.Text, "/") {
		return last.Text
	}
	return ""
}

// reach is what rendering a template reads.
type reach struct {
	words map[string]bool
	any   bool
	files map[*chart.File]bool
}

// reach returns what rendering a file reads. It remembers the answer, so that only one may ask at a
// time.
func (r *reading) reach(file *chart.File) reach {
	if known, found := r.reached[file]; found {
		return known
	}
	out := reach{words: map[string]bool{}, files: map[*chart.File]bool{}}
	seen := map[*text]bool{}
	var visit func(t *text)
	visit = func(t *text) {
		if t == nil || seen[t] {
			return
		}
		seen[t] = true
		if t.file != nil {
			out.files[t.file] = true
		}
		for word := range t.words {
			out.words[word] = true
		}
		out.any = out.any || t.any
		for _, name := range t.includes {
			for _, defined := range r.defined[name] {
				visit(defined)
			}
		}
		for _, ending := range t.endings {
			for file, included := range r.files {
				if ending != "" && strings.HasSuffix(file.Name, ending) {
					visit(included)
				}
			}
		}
		if t.tpl {
			visit(r.evaluated)
		}
	}
	visit(r.files[file])
	r.reached[file] = out
	return out
}

// versioned fits an API version in quotes, or that and the kind of an object.
var versioned = regexp.MustCompile("[\"`]([a-z0-9.-]+\\.[a-z0-9-]+/v[0-9][a-z0-9]*(?:/[A-Za-z0-9]+)?)[\"`]|" +
	`apiVersion:[ \t]*['"]?([a-z0-9.-]+\.[a-z0-9-]+/v[0-9][a-z0-9]*)['"]?[ \t]*\n[ \t]*kind:[ \t]*(\w+)`)

// named lists the API versions that a text names.
func named(source string) []string {
	var all []string
	for _, match := range versioned.FindAllStringSubmatch(source, -1) {
		if all = append(all, match[1]); match[2] != "" {
			all[len(all)-1] = match[2] + "/" + match[3]
		}
	}
	return all
}

// isPartial says whether a template is not rendered by itself.
func isPartial(name string) bool { return strings.HasPrefix(path.Base(name), "_") }
