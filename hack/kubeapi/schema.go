package main

import "strings"

// Definitions whose OpenAPI form says less, or other, than what the API server accepts.
var special = map[string]map[string]any{
	"io.k8s.apimachinery.pkg.api.resource.Quantity":   {"type": []any{"string", "number"}, "format": "quantity"},
	"io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": []any{"string", "integer"}},
}

// schema turns an OpenAPI version 2 schema into a JSON schema that is as strict as the API server
// with fieldValidation=Strict: what has properties has no others. Descriptions and merge keys go.
func schema(name string, in map[string]any) map[string]any {
	if out := special[name]; out != nil {
		return out
	}
	if ref, ok := in["$ref"].(string); ok {
		return map[string]any{"$ref": ref}
	}
	out := map[string]any{}
	for _, key := range []string{"type", "required", "enum"} {
		if in[key] != nil {
			out[key] = in[key]
		}
	}
	switch format, _ := in["format"].(string); format {
	case "int-or-string":
		return special["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
	case "byte", "int32", "date-time":
		out["format"] = format
	}
	if items, ok := in["items"].(map[string]any); ok {
		out["items"] = schema("", items)
	}
	properties, closed := in["properties"].(map[string]any)
	if closed {
		reduced := map[string]any{}
		for key, value := range properties {
			reduced[key] = schema("", value.(map[string]any))
		}
		out["properties"] = reduced
	}
	switch additional := in["additionalProperties"].(type) {
	case map[string]any:
		out["additionalProperties"] = schema("", additional)
	case nil:
		// JSONSchemaProps documents may hold extensions of any name.
		if closed && !strings.HasSuffix(name, ".JSONSchemaProps") {
			out["additionalProperties"] = false
		}
	}
	return out
}
