package cluster

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestForbidden(t *testing.T) {
	t.Parallel()
	pods := schema.GroupResource{Resource: "pods"}
	rbac := apierrors.NewForbidden(pods, "p",
		errors.New(`User "jane" cannot create resource "pods/eviction" in API group "" in the namespace "steamer-cn"`))
	own := apierrors.NewForbidden(pods, "p",
		errors.New(`User "system:serviceaccount:steamer-cn:openbao" cannot patch resource "pods" in API group ""`))
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":                {nil, false},
		"another":                {errors.New("permission denied"), false},
		"not found":              {apierrors.NewNotFound(pods, "p"), false},
		"right":                  {rbac, true},
		"wrapped":                {fmt.Errorf("helm install: %w", rbac), true},
		"joined":                 {errors.Join(errors.New("a"), apierrors.NewNotFound(pods, "p"), rbac), true},
		"text":                   {errors.New("evict: " + rbac.Error()), true},
		"admission":              {apierrors.NewForbidden(pods, "p", errors.New("exceeded quota")), true},
		"the chart's own":        {own, false},
		"the chart's and ours":   {errors.Join(own, rbac), true},
		"text about the chart's": {errors.New("log: " + own.Error()), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, Forbidden(test.err) != "", Forbidden(test.err))
		})
	}
}
