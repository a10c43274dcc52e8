package lint

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

var kubeRules = []Rule{
	{
		ID: "kube/yaml", Title: "every document is a Kubernetes object", Severity: Error,
		Protects: "Of two equal keys Helm and Kubernetes keep the last; an object without a kind or a name stops " +
			"the installation.",
		Hint: "helm template shows the document; look for a wrong indentation or a loop that writes a key twice",
		Detail: "Parses each rendered document strictly: a mapping, no key twice, apiVersion, kind and " +
			"metadata.name. A name may stand once in a release.",
		object: wellFormed,
	},
	{
		ID: "kube/duplicates", Title: "no object is rendered twice", Severity: Error,
		Protects: "Helm installs both documents, and the second silently wins or fails the installation.",
		Hint:     "give the objects different names, or render one",
		Detail:   "Compares kind, namespace and name of all objects of a case.",
		each:     duplicates,
	},
	{
		ID: "kube/schema", Title: "objects are as the Kubernetes API describes them", Severity: Error,
		Protects: "The API server drops unknown fields with a warning that helm does not fail on, so that a " +
			"mistyped setting has no effect; a wrong type stops the release.",
		Hint: "kubectl explain KIND.PATH shows what belongs there",
		Detail: "Compares every object with the OpenAPI of the chosen Kubernetes version, offline: unknown " +
			"fields, wrong types, missing required fields, malformed quantities, base64 and times. It does " +
			"not see what the API server checks beyond the types, such as ranges.",
		object: apiSchema,
	},
	{
		ID: "kube/deprecated", Title: "objects use APIs that the version serves", Severity: Error,
		Protects: "An API that is gone stops the release; a deprecated one will.",
		Hint:     "use the API that replaces it",
		Detail: "A kind that the chosen Kubernetes version does not serve is an error, a deprecated one a " +
			"warning. The life cycle comes with the Kubernetes API types.",
		object: lifecycle,
	},
	{
		ID: "kube/custom", Title: "custom resources fit the definitions in the chart", Severity: Error,
		Protects: "The API server refuses a custom resource that does not fit its definition, and drops fields " +
			"that the definition does not know.",
		Hint: "correct the resource, or the definition in crds/",
		Detail: "Validates custom resources with the API server's own library against the " +
			"CustomResourceDefinitions in crds/, in the sub-charts' crds/ or rendered. Fields that it would " +
			"drop are errors. Rules in CEL are not evaluated.",
		object: customSchema,
	},
	{
		ID: "kube/unchecked", Title: "custom resources are named", Severity: Info,
		Protects: "Nobody takes silence for a check.",
		Hint:     "kubectl apply --dry-run=server on a cluster with the resource's definition checks it",
		Detail: "Lists custom resources (PodMonitor, HTTPRoute, ...) whose definition the chart does not have: " +
			"their schemas are not in Kubernetes and not built in.",
		object: unchecked,
	},
	{
		ID: "kube/names", Title: "names and labels are valid, also with long release names", Severity: Error,
		Protects: "A name or a label that is too long or malformed is refused by the API server, in the one " +
			"environment with a long release name.",
		Hint: "shorten with trunc, and trim what must not stand at the end",
		Detail: "Names have to be DNS subdomains (Services: DNS labels; pods' owners: 52 to 63 characters), " +
			"label keys and values valid. One case has a release name of 53 characters.",
		renamed: true, object: names,
	},
	{
		ID: "kube/limits", Title: "ports, containers, volumes and keys keep Kubernetes' limits", Severity: Error,
		Protects: "The API server refuses the object: a port's name beyond 15 characters, two ports of one name, " +
			"a node port out of the range. The types in kube/schema do not show it.",
		Hint: "shorten the name or correct the number; a name that holds the release's has to be cut with trunc",
		Detail: "Checks with Kubernetes' own functions: names of containers, their ports (15 characters), " +
			"volumes, Services' ports (63), variables, keys of ConfigMaps and Secrets, hosts of Ingresses " +
			"and host names (253), values in selectors (63); names and ports that stand twice; port numbers, " +
			"and node ports from 30000 to 32767, the default range. Also with a release name of 53 " +
			"characters. Names that differ in case only are not compared.",
		renamed: true, object: limits,
	},
	{
		ID: "config/syntax", Title: "configuration files parse", Severity: Error,
		Protects: "A configuration file that is put together from text breaks when a part of it is turned off, " +
			"and the pods crash at their start.",
		Hint: "build the file as data and print it with toJson or toYaml",
		Detail: "Parses the keys of ConfigMaps and Secrets that end with .json, .yaml, .yml and .hcl, those without an " +
			"ending that hold a server's blocks, the variables BAO_LOCAL_CONFIG and VAULT_LOCAL_CONFIG, and the " +
			"here-documents by which commands and scripts write such a file, in every case. HCL is parsed by " +
			"OpenBao's own library. A key that stands twice in a mapping is an error: the parsers of different " +
			"programs keep another one of the two. " +
			"Of Secrets the message says no more than that.",
		object: configSyntax,
	},
}

func wellFormed(_ *subject, o *Object) []Finding {
	var all []Finding
	for _, flaw := range o.flaws {
		finding := Finding{File: o.File, Message: flaw}
		if o.GVK.Kind != "" {
			finding.Object = o.ID()
		}
		all = append(all, finding)
	}
	return all
}

func duplicates(_ *subject, c *Case) []Finding {
	var all []Finding
	seen := map[string]bool{}
	for _, o := range c.Objects {
		key := o.GVK.GroupKind().String() + "/" + o.namespace + "/" + o.Name
		if seen[key] && o.GVK.Kind != "" {
			all = append(all, at(o, "metadata.name", "is rendered twice"))
		}
		seen[key] = true
	}
	return all
}

func apiSchema(s *subject, o *Object) []Finding {
	if !s.api.Serves(o.GVK) {
		return nil // kube/deprecated and kube/unchecked
	}
	problems, err := s.api.Validate(o.GVK, o.Tree)
	if err != nil {
		return []Finding{at(o, "", "was not validated: "+err.Error())}
	}
	var all []Finding
	for _, p := range problems {
		all = append(all, at(o, p.Path, p.Message))
	}
	return all
}

func lifecycle(s *subject, o *Object) []Finding {
	if o.GVK.Kind == "" || !s.api.Native(o.GVK.Group) {
		return nil
	}
	description, served := s.api.Lifecycle(o.GVK)
	if description == "" {
		return nil
	}
	finding := at(o, "apiVersion", o.GVK.GroupVersion().String()+": "+description)
	if served {
		finding.Severity = Warning
	}
	return []Finding{finding}
}

func unchecked(s *subject, o *Object) []Finding {
	if o.GVK.Kind == "" || s.api.Native(o.GVK.Group) || s.definitions()[o.GVK.GroupKind()] != nil {
		return nil
	}
	return []Finding{at(o, "", "not checked against a schema: "+o.GVK.GroupVersion().String()+" is a custom resource")}
}

// nameLimit is how long the name of a kind may be so that what Kubernetes makes from it is still
// valid; the default is 253.
var nameLimit = map[string]int{"Service": 63, "CronJob": 52, "Job": 63, "StatefulSet": 52}

func names(_ *subject, o *Object) []Finding {
	var all []Finding
	add := func(path string, problems []string) {
		for _, problem := range problems {
			all = append(all, at(o, path, oneLine(problem)))
		}
	}
	switch limit := nameLimit[o.GVK.Kind]; {
	case o.Name == "" || o.GVK.Group == "rbac.authorization.k8s.io": // RBAC names may hold colons
	case o.GVK.Kind == "Service":
		add("metadata.name", validation.IsDNS1035Label(o.Name))
	default:
		add("metadata.name", validation.IsDNS1123Subdomain(o.Name))
		if limit > 0 && len(o.Name) > limit {
			add("metadata.name", []string{validation.MaxLenError(limit)})
		}
	}
	labels := func(path string, set map[string]string) {
		for key, value := range set {
			add(path+"["+key+"]", append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...))
		}
	}
	labels("metadata.labels", o.labels)
	if p := o.pod(); p != nil && p.path != "" {
		labels(p.path+"metadata.labels", p.meta.Labels)
	}
	for key := range o.notes {
		add("metadata.annotations["+key+"]", validation.IsQualifiedName(strings.ToLower(key)))
	}
	return all
}
