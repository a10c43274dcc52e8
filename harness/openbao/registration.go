package openbao

import "strings"

// The labels that OpenBao's service registration keeps on its pod on Kubernetes. Each is "true" or
// "false". Vault's have its own name in front; Registered reads either.
const (
	LabelActive      = "openbao-active"
	LabelSealed      = "openbao-sealed"
	LabelInitialized = "openbao-initialized"
)

// Spellings are the names of one of the labels above on OpenBao's pods and on Vault's.
func Spellings(label string) [2]string {
	return [2]string{label, string(KindVault) + strings.TrimPrefix(label, string(KindOpenBao))}
}

// Registered returns the value of one of the labels above, or of a selector of it, whichever
// program it is of; "" where there is none.
func Registered(labels map[string]string, label string) string {
	for _, name := range Spellings(label) {
		if value := labels[name]; value != "" {
			return value
		}
	}
	return ""
}
