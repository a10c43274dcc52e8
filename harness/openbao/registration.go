package openbao

// The labels that OpenBao's service registration keeps on its pod on Kubernetes. Each is "true" or
// "false".
const (
	LabelActive      = "openbao-active"
	LabelSealed      = "openbao-sealed"
	LabelInitialized = "openbao-initialized"
)
