package hygiene

import (
	"bytes"
	"errors"
	"fmt"

	"gitlab.com/steamer/steamer/harness/secret"
)

// control proves that a scanner for the canaries would find each of them, in each encoding, even
// across the boundary between two reads. Without it, a broken search would report that it found
// nothing.
func control(canaries []canary) error {
	if len(canaries) == 0 {
		return errors.New("positive control: no canary was planted")
	}
	for _, c := range canaries {
		for _, form := range secret.Encodings(c.Secret) {
			sample := bytes.Repeat([]byte("."), chunk+overlap-len(form)/2)
			sample = append(sample, form...)
			sample = append(sample, "...."...)
			found, err := newScanner([]canary{c}).scan("control", bytes.NewReader(sample))
			if err != nil {
				return fmt.Errorf("positive control: %w", err)
			}
			if len(found) != 1 {
				return fmt.Errorf("positive control: the scanner misses %s in one of its encodings", c.Label)
			}
		}
	}
	return nil
}
