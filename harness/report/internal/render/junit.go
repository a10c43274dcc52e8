package render

import (
	"fmt"
	"io"

	"github.com/jstemmer/go-junit-report/v2/junit"
)

// Suites writes JUnit suites under one name.
func Suites(w io.Writer, name string, list ...junit.Testsuite) error {
	suites := junit.Testsuites{Name: name}
	for _, s := range list {
		suites.AddSuite(s)
	}
	if _, err := fmt.Fprintln(w, `<?xml version="1.0" encoding="UTF-8"?>`); err != nil {
		return err
	}
	return suites.WriteXML(w)
}
