package localbao

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// writeCertificate makes a P-256 key and a certificate for 127.0.0.1 that signs itself, writes
// both into dir and returns the certificate in PEM. It is good for a day, longer than any process
// here lives.
func writeCertificate(dir string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "steamer local OpenBao"},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:        true, BasicConstraintsValid: true,
	}
	der, errCert := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	keyDER, errKey := x509.MarshalPKCS8PrivateKey(key)
	if err := errors.Join(errCert, errKey); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "tls.crt"), certificate, 0o600),
		os.WriteFile(filepath.Join(dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
			0o600),
	)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return certificate, nil
}

// tlsPatch is the JSON Patch that makes the listener serve the certificate in dir.
func tlsPatch(dir, address string) []byte {
	type m = map[string]any
	patch, _ := json.Marshal([]m{ // strings always encode
		{"op": "replace", "path": "/listener/0/tcp/tls_disable", "value": false},
		{"op": "add", "path": "/listener/0/tcp/tls_cert_file", "value": filepath.Join(dir, "tls.crt")},
		{"op": "add", "path": "/listener/0/tcp/tls_key_file", "value": filepath.Join(dir, "tls.key")},
		{"op": "replace", "path": "/api_addr", "value": address},
	})
	return patch
}
