// Command exported lists the exported names of this module that no other package uses: go run
// ./hack/exported. It fails when they are more than a fifth of a package's exported names.
//
// A package's own tests do not count as users. A type counts as used where a used function,
// variable or field has it. Methods and fields are not counted: interfaces and codecs use them
// unseen.
package main

import (
	"fmt"
	"go/types"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

const (
	module = "gitlab.com/steamer/steamer/"
	most   = 0.2 // share of a package's exported names that may be unused
	few    = 5   // packages with fewer exported names are not judged
)

func main() {
	config := &packages.Config{
		Mode: packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedTypes |
			packages.NeedSyntax | packages.NeedTypesInfo,
		Tests: true, BuildFlags: []string{"-tags=browser,kind"},
	}
	loaded, err := packages.Load(config, "./...")
	if err != nil || packages.PrintErrors(loaded) > 0 {
		fmt.Fprintln(os.Stderr, "exported: the packages cannot be loaded:", err)
		os.Exit(4)
	}
	failed := false
	for _, p := range count(loaded) {
		share := float64(len(p.unused)) / float64(p.exported)
		mark := ""
		if share > most && p.exported >= few {
			failed, mark = true, " TOO MANY"
		}
		if len(p.unused) > 0 {
			fmt.Printf("%s: %d of %d unused%s: %s\n", strings.TrimPrefix(p.path, module), len(p.unused), p.exported, mark,
				strings.Join(p.unused, ", "))
		}
	}
	if failed {
		fmt.Fprintln(os.Stderr, "exported: more than a fifth of a package's exported names have no user outside of it")
		os.Exit(1)
	}
}

// surface is what a package exports.
type surface struct {
	path     string
	exported int
	unused   []string
}

// count returns the surface of every package that others can import.
func count(loaded []*packages.Package) []surface {
	users := users{}
	for _, p := range loaded {
		for _, object := range p.TypesInfo.Uses {
			if object.Pkg() != nil && base(object.Pkg().Path()) != base(p.PkgPath) {
				users.add(object)
			}
		}
	}
	var all []surface
	for _, p := range loaded {
		if p.ID != p.PkgPath || p.Name == "main" || strings.Contains(p.PkgPath, "/internal") ||
			strings.HasSuffix(p.PkgPath, "_test") {
			continue
		}
		s := surface{path: p.PkgPath}
		for _, name := range p.Types.Scope().Names() {
			if object := p.Types.Scope().Lookup(name); object.Exported() {
				s.exported++
				if !users[key(object)] {
					s.unused = append(s.unused, name)
				}
			}
		}
		if s.exported > 0 {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b surface) int { return strings.Compare(a.path, b.path) })
	return all
}

// base is the path of the package that a test package tests.
func base(path string) string { return strings.TrimSuffix(path, "_test") }

// key names an object of a package's scope. A package and its variant for tests have objects of
// their own.
func key(object types.Object) string { return object.Pkg().Path() + "." + object.Name() }

// users are the keys of objects that are used from outside of their packages.
type users map[string]bool

// add marks an object, and the types that whoever uses it gets to see.
func (u users) add(object types.Object) {
	if object.Pkg() == nil || !strings.HasPrefix(object.Pkg().Path(), module) || !object.Exported() {
		return
	}
	t := object.Type()
	if object.Parent() == object.Pkg().Scope() {
		if u[key(object)] {
			return
		}
		u[key(object)] = true
		if _, isType := object.(*types.TypeName); isType {
			t = t.Underlying()
		}
	}
	u.see(t)
}

// see marks the named types that a type consists of.
func (u users) see(t types.Type) {
	switch t := t.(type) {
	case *types.Alias:
		u.add(t.Obj())
		u.see(types.Unalias(t))
	case *types.Named:
		u.add(t.Obj())
		for argument := range t.TypeArgs().Types() {
			u.see(argument)
		}
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels, and the values of maps
		u.see(t.Elem())
		if m, ok := t.(*types.Map); ok {
			u.see(m.Key())
		}
	case *types.Signature:
		u.see(t.Params())
		u.see(t.Results())
	case *types.Tuple:
		for variable := range t.Variables() {
			u.see(variable.Type())
		}
	case *types.Struct:
		for field := range t.Fields() {
			if field.Exported() {
				u.see(field.Type())
			}
		}
	case *types.Interface:
		for method := range t.Methods() {
			u.see(method.Type())
		}
	}
}
