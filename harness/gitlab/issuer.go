// Package gitlab plays GitLab's part towards OpenBao: it provisions tenants the
// way Rails does, signs the JWTs that Rails and CI jobs present, and fetches
// secrets the way GitLab Runner does.
package gitlab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Algorithm is a JWS signature algorithm of RFC 7518.
type Algorithm string

// The algorithms an Issuer signs with. GitLab uses RS256.
const (
	RS256 Algorithm = "RS256"
	ES256 Algorithm = "ES256"
)

// Issuer signs JWTs as GitLab does. Its private key exists only in this process's
// memory. It is safe for concurrent use.
type Issuer struct {
	url string
	alg Algorithm
	kid string
	key crypto.Signer
}

// NewIssuer makes an issuer with a new key pair. url becomes the claim iss; "" as
// algorithm is RS256. A second issuer with the same url is what a forger has: the
// right claims and another key.
func NewIssuer(url string, alg Algorithm) (*Issuer, error) {
	i := &Issuer{url: url, alg: alg}
	var err error
	switch alg {
	case "", RS256:
		i.alg = RS256
		i.key, err = rsa.GenerateKey(rand.Reader, 2048)
	case ES256:
		i.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return nil, fmt.Errorf("issuer: algorithm %q is neither %s nor %s", alg, RS256, ES256)
	}
	if err != nil {
		return nil, fmt.Errorf("issuer: making a key: %w", err)
	}
	thumb, err := (&jose.JSONWebKey{Key: i.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("issuer: key ID: %w", err)
	}
	i.kid = fmt.Sprintf("%x", thumb[:16]) // RFC 7638 thumbprint, shortened
	return i, nil
}

// URL is the claim iss and where OpenBao looks for the discovery document.
func (i *Issuer) URL() string { return i.url }

// KeyID is the header kid of everything the issuer signs.
func (i *Issuer) KeyID() string { return i.kid }

// JWKS returns the public key as a JSON Web Key Set (RFC 7517). It is no secret.
func (i *Issuer) JWKS() ([]byte, error) { return JWKS(i) }

// JWKS returns the public keys of some issuers as one set.
func JWKS(issuers ...*Issuer) ([]byte, error) {
	set := jose.JSONWebKeySet{}
	for _, i := range issuers {
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: i.key.Public(), KeyID: i.kid, Algorithm: string(i.alg), Use: "sig",
		})
	}
	raw, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("issuer: JWKS: %w", err)
	}
	return raw, nil
}

// PublicPEM returns the public key in PEM, which forgers use as an HMAC key.
func (i *Issuer) PublicPEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(i.key.Public())
	if err != nil {
		return nil, fmt.Errorf("issuer: public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}
