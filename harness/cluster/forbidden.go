package cluster

import (
	"errors"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// forbidden is how the API server says that a user may not do something, also where Helm or a
// scenario has made plain text of it. The user of a workload is a service account of its own.
var forbidden = regexp.MustCompile(`is forbidden: User "([^"]*)" cannot [a-z]+ resource "[^"]*"[^\n]*`)

// Forbidden returns the words by which an error says that the kubeconfig's user may not do
// something; "" where it says nothing of the kind. That is never the chart's fault: nobody gave
// the user the right.
func Forbidden(err error) string {
	if err == nil {
		return ""
	}
	if said := ForbiddenText(err.Error()); said != "" {
		return said
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) && apierrors.IsForbidden(err) && !byWorkload(err.Error()) {
		return status.Status().Message
	}
	return ""
}

// ForbiddenText is Forbidden for what is left of an error in a text.
func ForbiddenText(text string) string {
	for _, match := range forbidden.FindAllStringSubmatch(text, -1) {
		if !ownWorkload(match[1]) {
			return match[0]
		}
	}
	return ""
}

// byWorkload reports whether a text is about what a workload of the run may not do.
func byWorkload(text string) bool {
	for _, match := range forbidden.FindAllStringSubmatch(text, -1) {
		if ownWorkload(match[1]) {
			return true
		}
	}
	return false
}

// ownWorkload reports whether a user is a service account in a namespace that a run made: what
// that may do, the chart says.
func ownWorkload(user string) bool { return strings.HasPrefix(user, "system:serviceaccount:steamer-") }
