package chart

import (
	"bytes"
	"errors"
	"os"

	"github.com/ProtonMail/go-crypto/openpgp"
	"helm.sh/helm/v3/pkg/provenance"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Key is a PGP key that signs charts.
type Key struct{ signatory *provenance.Signatory }

// ReadKey reads a PGP secret key, binary or armoured as gpg --export-secret-keys writes it. The
// passphrase is asked for only when the key has one. The error is of code exit.Invalid and holds
// neither.
func ReadKey(file string, passphrase func() ([]byte, error)) (*Key, error) {
	input, hint := "signing key "+file, "export one with gpg --export-secret-keys ID"
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, exit.Invalidf(input, hint, "%w", err)
	}
	read := openpgp.ReadKeyRing
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("-----BEGIN ")) {
		read = openpgp.ReadArmoredKeyRing
	}
	ring, err := read(bytes.NewReader(data))
	if err != nil {
		return nil, exit.Invalidf(input, hint, "not a PGP key: %w", err)
	}
	if len(ring) != 1 || ring[0].PrivateKey == nil {
		return nil, exit.Invalidf(input, hint, "it has to hold exactly one key, with its secret part")
	}
	signatory := &provenance.Signatory{Entity: ring[0], KeyRing: ring}
	err = signatory.DecryptKey(func(string) ([]byte, error) {
		phrase, err := passphrase()
		return bytes.TrimRight(phrase, "\r\n"), err // of a file
	})
	if err != nil {
		return nil, exit.Invalidf(input, "check the passphrase", "it cannot be unlocked: %w", err)
	}
	return &Key{signatory}, nil
}

// Sign writes Helm's provenance file beside an archive, ARCHIVE.prov, which helm verify checks,
// and returns its path.
func (k *Key) Sign(archive string) (string, error) {
	text, err := k.signatory.ClearSign(archive)
	if err != nil {
		return "", err
	}
	file := archive + ".prov"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return "", err
	}
	if _, err := k.signatory.Verify(archive, file); err != nil {
		return "", errors.Join(errors.New("the signature that was just made does not verify"), err)
	}
	return file, nil
}
