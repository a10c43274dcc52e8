package pods

import "gitlab.com/steamer/steamer/harness/cluster"

// Needs are the rights by which a Runner works in its namespace.
func Needs(namespace string) []cluster.Need {
	needs := []cluster.Need{
		{Verbs: "create", Resource: "configmaps"},
		{Verbs: "create delete", Group: "batch", Resource: "jobs"},
		{Verbs: "get list", Resource: "pods"},
		{Verbs: "get", Resource: "pods/log"},
		{Verbs: "create", Resource: "pods/attach"}, // the fixture comes by standard input
	}
	for i := range needs {
		needs[i].Namespace, needs[i].For = namespace, "load from pods"
	}
	return needs
}
