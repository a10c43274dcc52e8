package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/exit"
)

// titled marks a flag with the title that help shows it below.
const titled = "steamer_title"

// addFlags adds flags to a command, under a title of its help. The set that it returns can be
// refused as a whole.
func addFlags(c *cobra.Command, title string, bind func(*pflag.FlagSet)) *pflag.FlagSet {
	set := pflag.NewFlagSet(title, pflag.ContinueOnError)
	set.SortFlags = false
	bind(set)
	set.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{titled: {title}} })
	c.Flags().SortFlags = false
	c.Flags().AddFlagSet(set)
	return set
}

// refuse says of the first of the flags that was given that it means nothing here.
func refuse(why string, sets ...*pflag.FlagSet) error {
	var err error
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
func hide(sets ...*pflag.FlagSet) {
	for _, set := range sets {
		set.VisitAll(func(f *pflag.Flag) { f.Hidden = true })
	}
}

// oldNames makes a command understand flags by the names that they had in an earlier release.
func oldNames(c *cobra.Command, names map[string]string) {
	c.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if current, old := names[name]; old {
			name = current
		}
		return pflag.NormalizedName(name)
	})
}

// replay gives the flags of to what those of from were given.
func replay(from, to *pflag.FlagSet) error {
	var all error
	from.Visit(func(f *pflag.Flag) {
		target := to.Lookup(f.Name)
		if target == nil {
			return
		}
		var err error
		switch value := f.Value.(type) {
		case pflag.SliceValue:
			err = target.Value.(pflag.SliceValue).Replace(value.GetSlice())
		default:
			err = setText(from, to, f)
		}
		all = errors.Join(all, err)
	})
	return all
}

// setText sets a flag of to that is no list.
func setText(from, to *pflag.FlagSet, f *pflag.Flag) error {
	if f.Value.Type() != "stringToString" {
		return to.Set(f.Name, f.Value.String())
	}
	pairs, err := from.GetStringToString(f.Name)
	for key, value := range pairs {
		err = errors.Join(err, to.Set(f.Name, key+"="+value))
	}
	return err
}

// optionalBool is a flag that is unset, true or false.
type optionalBool struct{ value **bool }

// Set takes what a boolean flag takes.
func (o optionalBool) Set(text string) error {
	var b bool
	if _, err := fmt.Sscan(text, &b); err != nil {
		return errors.New("it is neither true nor false")
	}
	*o.value = &b
	return nil
}

// String is empty where the flag is unset.
func (o optionalBool) String() string {
	if o.value == nil || *o.value == nil {
		return ""
	}
	return fmt.Sprint(**o.value)
}

// Type makes help show the flag without a value.
func (o optionalBool) Type() string { return "bool" }

// bound checks a number that a flag gives.
func bound(flag string, value, least, most int) error {
	if value < least || value > most {
		return exit.Invalidf(fmt.Sprintf("--%s %d", flag, value), fmt.Sprintf("use %d to %d", least, most),
			"it is out of range")
	}
	return nil
}
