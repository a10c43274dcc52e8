package lint

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/chart"
)

// TestSameDocumentIsOneObject has renders beside each other parse the same documents: rules count
// cases by pointers to objects, so that two for one text make findings differ from run to run.
func TestSameDocumentIsOneObject(t *testing.T) {
	t.Parallel()
	s := &subject{parsed: map[string][]*Object{}}
	for i := range 200 {
		document := chart.Document{
			Template: "templates/settings.yaml",
			Text:     "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings-" + strconv.Itoa(i) + "\n",
		}
		seen := make([]*Object, 8)
		start := make(chan struct{})
		var renders sync.WaitGroup
		for k := range seen {
			renders.Go(func() {
				<-start
				seen[k] = s.objectsOf(document)[0]
			})
		}
		close(start)
		renders.Wait()
		for _, object := range seen {
			require.Same(t, seen[0], object)
		}
	}
}
