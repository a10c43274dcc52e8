package attack_test

import (
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// attack is one true fault in otherwise good evidence, and the verdict that it must get.
type attack struct {
	rules string // of docs/verdict.md that catch it, by their IDs
	name  string
	// world changes what happened, before it is counted; record changes what was recorded of it.
	// Either may be nil.
	world, record func(*dossier)
	want          result.Verdict // or refused
	says          string         // part of a reason, of the error where it is refused
}

// refused is what becomes of evidence that no decision is made on: exit code 3.
const refused result.Verdict = "refused"

// Short names of the topologies.
const (
	inside = topology.CloudNative
	hybrid = topology.CloudNativeHybrid
)

// attacks are all there are.
func attacks() []attack {
	var all []attack
	for _, list := range [][]attack{
		controls(), latencyAttacks(), fetchAttacks(), subjectAttacks(), missingAttacks(),
		suiteAttacks(), staticAttacks(), comparisonAttacks(), fileAttacks(),
		otherWorkAttacks(), objectiveAttacks(), baselineAttacks(), knownAttacks(),
		machineAttacks(), detectionAttacks(),
	} {
		all = append(all, list...)
	}
	return all
}

// judged is what the gate makes of a dossier's files.
func (d *dossier) judged(t *testing.T) (*gate.Decision, error) {
	t.Helper()
	evidence, err := gate.Read(d.write(t)...)
	if err != nil {
		return nil, err
	}
	return gate.Decide(evidence, d.policy)
}

// onlyRule chooses attacks by a rule, for hack/prove-judge, which takes the rule out and wants one
// of them to be noticed.
var onlyRule = flag.String("attack.rule", "", "make only the attacks that name this rule")

func TestAttacks(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, a := range attacks() {
		if *onlyRule != "" && !slices.Contains(strings.Fields(a.rules), *onlyRule) {
			continue
		}
		require.False(t, seen[a.name], "two attacks are called %q", a.name)
		seen[a.name] = true
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			d := good(t, 1)
			if a.world != nil {
				a.world(d)
			}
			d.count()
			d.conclude()
			if a.record != nil {
				a.record(d)
			}
			got, err := d.judged(t)
			if a.want == refused {
				require.Equal(t, exit.Invalid, exit.CodeOf(err), "%v", err)
				require.ErrorContains(t, err, a.says)
				return
			}
			require.NoError(t, err)
			require.Equal(t, a.want, got.Verdict, "%s", strings.Join(got.Reasons, "\n"))
			require.Contains(t, strings.Join(got.Reasons, "\n"), a.says)
		})
	}
	if *onlyRule == "" {
		require.GreaterOrEqual(t, len(seen), 80)
	}
}
