package steps_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/steps"
)

// A step that takes long shows how long it has taken, what of it runs, and how much is done.
func TestLongStepsShowThatTheyRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		ui := &steps.Text{W: &out}
		ui.Start("", "images")
		ui.Work("go build node", -1)
		ui.Work("Debian packages of node", -1)
		ui.Progress("packages, at most", 871, 3485)
		time.Sleep(15 * time.Second)
		require.NotContains(t, out.String(), "s)", "a line came not long ago")
		ui.Progress("packages, at most", 900, 3485)
		time.Sleep(10 * time.Second)
		require.Contains(t, out.String(), "    … images (20s), go build node (20s), Debian packages of node (20s); "+
			"packages, at most: 900 of 3485\n")
		ui.Work("Debian packages of node", 25)
		time.Sleep(50 * time.Second)
		require.Contains(t, out.String(), "    … images (1m5s), go build node (1m5s)\n")
		ui.Done("", "images", 75*time.Second, errors.New("a build failed")) // its go build reports no end
		length := out.Len()
		time.Sleep(time.Hour)
		require.Equal(t, length, out.Len(), "nothing runs any more")

		ui.Work("go build k6", -1) // outside of a step
		ui.Work("image k6", -1)
		ui.Work("go build k6", 1)
		time.Sleep(21 * time.Second)
		require.True(t, strings.HasSuffix(out.String(), "    … image k6 (20s)\n"), out.String())
		ui.Work("image k6", 20)
	})
}

// On a terminal the line is overwritten, and less is shown to those who want to see little.
func TestPulseOnATerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		ui := &steps.Text{W: &out, Terminal: true}
		ui.Start("cloud-native", "install")
		time.Sleep(3 * time.Second)
		require.Contains(t, out.String(), "\r\033[K    … cloud-native: install (2s)")
		ui.Done("cloud-native", "install", 3*time.Second, nil)

		quiet := &steps.Text{W: &out, Terminal: true, Level: 4}
		length := out.Len()
		quiet.Start("", "images")
		time.Sleep(time.Minute)
		quiet.Done("", "images", time.Minute, nil)
		require.Equal(t, length, out.Len())
	})
}
