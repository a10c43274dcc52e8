package pgproxy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// message is one message of the protocol: a byte for its kind, four for the length of the rest
// including themselves, and its body.
type message []byte

func (m message) kind() byte   { return m[0] }
func (m message) body() []byte { return m[5:] }

// maxMessage bounds a message in bytes. OpenBao's requests are far smaller.
const maxMessage = 64 << 20

// read reads one message.
func read(from *bufio.Reader) (message, error) {
	head := make(message, 5)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	return rest(from, head, head[1:])
}

// piece reads what has arrived, at least a byte.
func piece(from *bufio.Reader) (message, error) {
	if _, err := from.Peek(1); err != nil {
		return nil, err
	}
	m := make(message, from.Buffered())
	_, err := io.ReadFull(from, m)
	return m, err
}

// unseen passes a piece on.
func unseen(m message) ([]byte, error) { return m, nil }

// rest reads what a length, which counts itself, says of a message whose beginning was read.
func rest(from io.Reader, head message, length []byte) (message, error) {
	n := int64(binary.BigEndian.Uint32(length)) - 4
	if n < 0 || n > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	m := append(head, make([]byte, n)...)
	_, err := io.ReadFull(from, m[len(head):])
	return m, err
}

// Codes in place of a version in the first message of a connection.
const (
	cancelCode = 80877102
	tlsCode    = 80877103
	gssCode    = 80877104
)

// startup passes the first message on, which has no kind. It refuses encryption, after which a
// client asks again. It reports whether messages follow.
func (l *link) startup(client *bufio.Reader) (bool, error) {
	for {
		head := make(message, 4)
		if _, err := io.ReadFull(client, head); err != nil {
			return false, err
		}
		m, err := rest(client, head, head)
		if err == nil && len(m) < 8 {
			err = fmt.Errorf("a first message of %d bytes", len(m))
		}
		if err != nil {
			return false, err
		}
		code := binary.BigEndian.Uint32(m[4:])
		if code == tlsCode || code == gssCode {
			if _, err := l.client.Write([]byte{'N'}); err != nil {
				return false, err
			}
			continue
		}
		if l.pass(len(m), true) {
			if _, err := l.server.Write(m); err != nil {
				return false, err
			}
		}
		if code == cancelCode { // the server closes when it has taken it
			_, err = io.Copy(io.Discard, l.server)
		}
		return code != cancelCode, err
	}
}

// lockTable is in the name of the table in which the leader has its row.
const lockTable = "_ha_locks"

// writesData reports whether a statement changes what OpenBao stores, other than its lock.
func writesData(sql string) bool {
	switch verb(sql) {
	case "INSERT", "UPDATE", "DELETE":
		return !strings.Contains(sql, lockTable)
	}
	return false
}

// takesLock reports whether a statement takes or renews OpenBao's lock. Its first parameter is the
// identity of who does.
func takesLock(sql string) bool { return verb(sql) == "INSERT" && strings.Contains(sql, lockTable) }

func verb(sql string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	return strings.ToUpper(first)
}
