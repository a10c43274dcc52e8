package baotest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"time"
)

// issuer and audience of the tokens; OpenBao only compares them.
const (
	issuer   = "https://gitlab.example.com"
	audience = "https://openbao.example.com"
)

// signer makes ES256 tokens (RFC 7515, RFC 7518 §3.4).
type signer struct{ key *ecdsa.PrivateKey }

// newSigner returns also the public key in PEM, with which OpenBao verifies tokens.
func newSigner() (*signer, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	return &signer{key}, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

// sign makes a token with the given claims, good for an hour.
func (s *signer) sign(claims object) (string, error) {
	now := time.Now()
	all := object{
		"iss": issuer, "aud": audience,
		"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(all, claims)
	body, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + enc.EncodeToString(body)
	digest := sha256.Sum256([]byte(signed))
	r, t, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return "", err
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	t.FillBytes(sig[32:])
	return signed + "." + enc.EncodeToString(sig), nil
}
