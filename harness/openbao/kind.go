package openbao

import "net/http"

// Kind is the program that answers.
type Kind string

// The programs. The zero value means KindOpenBao.
const (
	KindOpenBao Kind = "openbao"
	// HashiCorp Vault's Community Edition: it has no namespaces, inline authentication, CEL roles,
	// self-initialisation or static seal.
	KindVault Kind = "vault"
)

// String is the program's name in versions, images and labels.
func (k Kind) String() string {
	if k == "" {
		k = KindOpenBao
	}
	return string(k)
}

// Title is the program's name in sentences.
func (k Kind) Title() string {
	if k == KindVault {
		return "Vault"
	}
	return "OpenBao"
}

// Client returns a client for address like New. Where the program has no inline authentication,
// the client logs in before each request that carries some, and revokes the token afterwards.
func (k Kind) Client(address string, httpClient *http.Client) *Client {
	c := New(address, httpClient)
	c.login = k == KindVault
	return c
}
