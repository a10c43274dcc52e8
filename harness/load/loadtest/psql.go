package loadtest

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// PSQL is the command line of a psql that is connected to one of the databases of a server's
// PostgreSQL as its administrator, and prints bare rows. The password goes into a file, for
// arguments are public.
func PSQL(t testing.TB, s *localbao.Server, database string) (program string, args []string) {
	t.Helper()
	program = filepath.Join(os.Getenv(localbao.EnvPostgres), "psql")
	if exec.Command(program, "--version").Run() != nil {
		var err error
		program, err = exec.LookPath("psql")
		require.NoError(t, err, "apt-get install postgresql")
	}
	at, err := url.Parse(s.DatabaseURL())
	require.NoError(t, err)
	password, _ := at.User.Password()
	file := filepath.Join(t.TempDir(), "pgpass")
	require.NoError(t, os.WriteFile(file, []byte("*:*:*:*:"+password+"\n"), 0o600))
	connection := fmt.Sprintf("host=%s port=%s user=%s dbname=%s passfile=%s", at.Hostname(), at.Port(),
		at.User.Username(), database, file)
	return program, []string{
		"--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1", "--dbname", connection,
	}
}
