package plan

import (
	"encoding/json"
	"errors"
	"strconv"
)

// Shards is how many installations of a topology share its scenarios, 1 to MaxShards; 0 is as many
// as the host has memory for, written "auto".
type Shards int

// MaxShards is the most installations of a topology.
const MaxShards = 8

// auto is the text of as many as there is memory for.
const auto = "auto"

// String is the number, or "auto".
func (s Shards) String() string {
	if s == 0 {
		return auto
	}
	return strconv.Itoa(int(s))
}

// Set reads what String writes; it implements the value of a flag.
func (s *Shards) Set(text string) error {
	if text == auto {
		*s = 0
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return errors.New("it is neither auto nor a number from 1")
	}
	*s = Shards(n)
	return nil
}

// Type names the value in a command's help.
func (s *Shards) Type() string { return "N|auto" }

// MarshalJSON writes a number, or "auto".
func (s Shards) MarshalJSON() ([]byte, error) {
	if s == 0 {
		return json.Marshal(auto)
	}
	return json.Marshal(int(s))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Shards) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = string(data)
	}
	return s.Set(text)
}
