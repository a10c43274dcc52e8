package localbao

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/exit"
)

// PSQL is the command line of the psql that belongs to the server's PostgreSQL, connected to one of
// its databases as its administrator and printing bare rows. The password goes into a file in dir,
// for arguments are public.
func (s *Server) PSQL(dir, database string) (program string, args []string, err error) {
	program, err = psql()
	if err != nil {
		return "", nil, err
	}
	at, err := url.Parse(s.DatabaseURL())
	if err != nil {
		return "", nil, err
	}
	password, _ := at.User.Password()
	file := filepath.Join(dir, "pgpass")
	if err := os.WriteFile(file, []byte("*:*:*:*:"+password+"\n"), 0o600); err != nil {
		return "", nil, err
	}
	connection := fmt.Sprintf("host=%s port=%s user=%s dbname=%s passfile=%s", at.Hostname(), at.Port(),
		at.User.Username(), database, file)
	return program, []string{
		"--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1", "--dbname", connection,
	}, nil
}

// psql finds the client. Debian puts it, or a wrapper that serves any version, into PATH; other
// builds put it beside the server.
func psql() (string, error) {
	bin, err := postgresBin()
	if err != nil {
		return "", err
	}
	if beside := filepath.Join(bin, "psql"); exec.Command(beside, "--version").Run() == nil {
		return beside, nil
	}
	path, err := exec.LookPath("psql")
	if err != nil {
		return "", exit.Environmentf("PostgreSQL", "apt-get install postgresql", "no psql beside %s or in PATH", bin)
	}
	return path, nil
}
