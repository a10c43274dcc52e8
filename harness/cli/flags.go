package cli

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Annotations of flags.
const (
	titled = "steamer_title"  // the title that help shows the flag below
	oneOf  = "steamer_values" // the only values that it can have
)

// under gives the flags of a command that have no title yet one, below which its help shows them
// in the order in which they were defined. The set that it returns can be refused as a whole.
func under(c *cobra.Command, title string) *pflag.FlagSet {
	set := pflag.NewFlagSet(title, pflag.ContinueOnError)
	set.SortFlags, c.Flags().SortFlags = false, false
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[titled] == nil {
			_ = c.Flags().SetAnnotation(f.Name, titled, []string{title}) // it fails only for a flag that is not there
			set.AddFlag(f)
		}
	})
	return set
}

// pick defines flags of a set for a command, by their names with spaces between.
func pick(c *cobra.Command, from *pflag.FlagSet, title, names string) *pflag.FlagSet {
	for name := range strings.FieldsSeq(names) {
		c.Flags().AddFlag(from.Lookup(name))
	}
	return under(c, title)
}

// refuse says of the first of the flags that was given that it means nothing here.
func refuse(why string, sets ...*pflag.FlagSet) (err error) {
	for _, set := range sets {
		set.VisitAll(func(f *pflag.Flag) {
			if f.Changed && err == nil {
				err = exit.Invalidf("--"+f.Name, "leave it out", "%s", why)
			}
		})
	}
	return err
}

// hide leaves flags out of help and reference that a command only accepts for those who wrote them
// for an earlier release.
func hide(set *pflag.FlagSet) { set.VisitAll(func(f *pflag.Flag) { f.Hidden = true }) }

// choose defines a flag that can have a few values only.
func choose(set *pflag.FlagSet, value *string, name, letter, usage string, values ...string) {
	set.StringVarP(value, name, letter, *value, usage)
	_ = set.SetAnnotation(name, oneOf, values)
}

// chosen refuses flags with a value that they cannot have.
func chosen(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		if values := f.Annotations[oneOf]; values != nil && err == nil {
			err = choice("--"+f.Name, f.Value.String(), values...)
		}
	})
	return err
}

// choice refuses a flag's value that is none of those that it can have.
func choice(flag, value string, values ...string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return exit.Invalidf(strings.TrimSpace(flag+" "+value), "choose from "+strings.Join(values, ", "),
		"it has no such value")
}

// given is a value where its flag was given, and else nothing.
func given[T any](c *cobra.Command, flag string, value T) (out T) {
	if c.Flags().Changed(flag) {
		out = value
	}
	return out
}

// addFormat adds the form in which a command prints data; when says in which case it does.
func addFormat(c *cobra.Command, when string) {
	format := "text"
	choose(c.Flags(), &format, "format", "o", when+"text or json", "text", "json", "table") // the last is an older name
}

// addRecord adds the form in which a command prints the record that it also writes to a file, and
// with output where that file goes.
func addRecord(c *cobra.Command, output *string, usage string) {
	if output != nil {
		c.Flags().StringVar(output, "output-dir", "runs", usage)
	}
	format := "text"
	choose(c.Flags(), &format, "format", "o", "what is printed: text, or json for the record", "text", "json")
	under(c, "Output")
}

// ownDirectory is what --output-dir of a command is that makes one directory.
const ownDirectory = "directory below which a directory for the files is made"

// printed prints data as text, or with -o json as JSON.
func printed(state *State, data any, text func(io.Writer) error) error {
	if !state.JSON {
		return text(state.Stdout)
	}
	encoder := json.NewEncoder(state.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(data)
}

// judged is what a command does that comes to a verdict.
func judged(do func(*cobra.Command, []string) (result.Verdict, error)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		verdict, err := do(c, args)
		return conclude(c.Context(), verdict, err)
	}
}
