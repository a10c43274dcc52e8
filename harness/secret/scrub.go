package secret

import (
	"reflect"
	"time"
)

// Scrub returns a copy of a document without secrets in any of its texts, however deep. Who
// renders a document scrubs it first: a format's own escapes, and cuts, could hide a secret from
// WriteFile.
func Scrub[T any](document T) T {
	v := reflect.ValueOf(&document).Elem()
	v.Set(scrubbed(v))
	return document
}

func scrubbed(v reflect.Value) reflect.Value {
	if !holdsText(v.Type()) {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(Redact(v.String()))
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(scrubbed(v.Elem()))
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		out.Set(scrubbed(v.Elem()))
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(scrubbed(v.Index(i)))
		}
	case reflect.Array:
		for i := range v.Len() {
			out.Index(i).Set(scrubbed(v.Index(i)))
		}
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for _, key := range v.MapKeys() {
			out.SetMapIndex(scrubbed(key), scrubbed(v.MapIndex(key)))
		}
	case reflect.Struct:
		out.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(scrubbed(v.Field(i)))
			}
		}
	}
	return out
}

// holdsText says of numbers, and slices and arrays of them, that they hold none; everything else
// may.
func holdsText(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Interface, reflect.Map, reflect.Pointer:
		return true
	case reflect.Slice, reflect.Array:
		return holdsText(t.Elem())
	case reflect.Struct:
		return t != reflect.TypeFor[time.Time]()
	}
	return false
}
