package history

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Value is what a workload writes: a token that names its writer, so that whoever reads it knows
// where it belongs. The zero Value is none.
type Value struct {
	Writer  int // the client that wrote it
	Counter int // of that client, from 1: every value is written once
	// Foreign is what was read where no token of the key was expected: the whole token of another
	// key, or a digest of something that is no token.
	Foreign string
}

// Token is the text that a client writes into the secret of a key.
func (v Value) Token(key string) string { return key + "/" + v.short() }

func (v Value) short() string { return strconv.Itoa(v.Writer) + "." + strconv.Itoa(v.Counter) }

// String is the value in a history: writer and counter, or what is foreign.
func (v Value) String() string {
	if v.Foreign != "" {
		return v.Foreign
	}
	return v.short()
}

// ValueOf recognises what was read from a key. What is no token is kept as a digest: it may be a
// secret of someone.
func ValueOf(key, read string) Value {
	own, found := strings.CutPrefix(read, key+"/")
	if v, err := parseShort(own); found && err == nil {
		return v
	}
	if at := strings.LastIndexByte(read, '/'); at > 0 && isKey(read[:at]) {
		if _, err := parseShort(read[at+1:]); err == nil {
			return Value{Foreign: read}
		}
	}
	sum := sha256.Sum256([]byte(read))
	return Value{Foreign: digest + hex.EncodeToString(sum[:8])}
}

const digest = "sha256:"

// Tenant is the tenant of a key or a foreign token.
func Tenant(key string) string {
	tenant, _, _ := strings.Cut(key, "/")
	return tenant
}

var errNoValue = errors.New("it is not a token WRITER.COUNTER, a token of another key or a digest")

func parseValue(text string) (Value, error) {
	if strings.HasPrefix(text, digest) {
		if _, err := hex.DecodeString(text[len(digest):]); err != nil || len(text) != len(digest)+16 {
			return Value{}, errNoValue
		}
		return Value{Foreign: text}, nil
	}
	if at := strings.LastIndexByte(text, '/'); at >= 0 {
		if _, err := parseShort(text[at+1:]); err != nil || !isKey(text[:at]) {
			return Value{}, errNoValue
		}
		return Value{Foreign: text}, nil
	}
	return parseShort(text)
}

func parseShort(text string) (Value, error) {
	writer, counter, found := strings.Cut(text, ".")
	w, errW := number(writer)
	c, errC := number(counter)
	if !found || errW != nil || errC != nil || c == 0 {
		return Value{}, errNoValue
	}
	return Value{Writer: w, Counter: c}, nil
}

// maxNumber bounds every number but times, so that records stay small in memory.
const maxNumber = 1<<31 - 1

// number reads a whole number as this package writes it: digits without a sign or leading zeros.
func number(text string) (int, error) {
	n, err := micros(text)
	if err != nil || n > maxNumber {
		return 0, fmt.Errorf("%.20q is not a whole number from 0 to %d", text, maxNumber)
	}
	return int(n), nil
}

func micros(text string) (int64, error) {
	if len(text) == 0 || len(text) > 18 || len(text) > 1 && text[0] == '0' {
		return 0, fmt.Errorf("%.20q is not a time in microseconds", text)
	}
	var n int64
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, fmt.Errorf("%.20q is not a time in microseconds", text)
		}
		n = n*10 + int64(text[i]-'0')
	}
	return n, nil
}

// maxKey is the longest key of a secret or list of subjects, in bytes.
const maxKey = 256

// isKey reports whether a text can be a key: TENANT/NAME of few characters, so that nothing
// secret can hide in it and no field of a line breaks.
func isKey(text string) bool {
	if len(text) == 0 || len(text) > maxKey || !strings.Contains(text, "/") {
		return false
	}
	for i := range len(text) {
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("/_-:.,", rune(c)) {
			return false
		}
	}
	return true
}

// isWord reports whether a text can be a name of an event.
func isWord(text string) bool {
	if len(text) == 0 || len(text) > 64 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
