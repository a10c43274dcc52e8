package cluster

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ownerPath is where a node shows the mark of its owner to people. Steamer itself reads the mark
// from the source of this mount, which is part of the container from the moment of its creation
// until its removal: see markDir.
const ownerPath = "/kind/steamer-owner.json"

// markVersion is the version of marks that this Steamer writes and reads. Of any other it knows
// nothing, so they are somebody else's.
const markVersion = 2

// Identity is who makes clusters: a user on a machine, with a checkout and a cache. It stays the
// same over a reboot.
type Identity struct {
	Machine  string `json:"machine"`  // digest of its ID and host name: a container is another machine than its host
	Host     string `json:"host"`     // host name, for people
	UID      int    `json:"uid"`      // number of the user
	User     string `json:"user"`     // name of the user, for people
	Checkout string `json:"checkout"` // source tree, without symbolic links; empty outside of one
	Cache    string `json:"cache"`    // cache, without symbolic links, where the kubeconfigs are
}

// Me is the identity of this process with the source tree and the cache that it works with.
func Me(checkout, cache string) (Identity, error) {
	me := Identity{UID: os.Getuid()}
	var err error
	if me.Machine, me.Host, err = thisMachine(); err != nil {
		return Identity{}, err
	}
	me.User = strconv.Itoa(me.UID)
	if u, err := user.Current(); err == nil { // a container's user need not have a name
		me.User = cmp.Or(u.Username, me.User)
	}
	if checkout != "" {
		if me.Checkout, err = realPath(checkout); err != nil {
			return Identity{}, err
		}
	}
	me.Cache, err = realPath(cache)
	return me, err
}

// thisMachine is the digest that tells this machine from others, and its host name.
func thisMachine() (machine, host string, err error) {
	if host, err = os.Hostname(); err != nil {
		return "", "", err
	}
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		id = nil // containers have none, and their host names are their own
	}
	return digest(strings.TrimSpace(string(id)), host), host, nil
}

// same reports whether two identities are the same owner. Names of hosts and users are for people
// only.
func (i Identity) same(other Identity) bool {
	return i.Machine == other.Machine && i.UID == other.UID && i.Checkout == other.Checkout && i.Cache == other.Cache
}

// String names an owner for people.
func (i Identity) String() string {
	return fmt.Sprintf("%s on %s, checkout %s, cache %s", i.User, i.Host, cmp.Or(i.Checkout, "none"), i.Cache)
}

// DefaultName is the name that this owner's clusters get unless they are given one: no two
// checkouts and no two users share it.
func (i Identity) DefaultName() string {
	return "steamer-" + digest(i.Machine, strconv.Itoa(i.UID), i.Checkout, i.Cache)[:6]
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// realPath is an absolute path without symbolic links; what does not exist yet has none.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	followed, err := filepath.EvalSymlinks(path)
	if errors.Is(err, os.ErrNotExist) && path != filepath.Dir(path) {
		parent, err := realPath(filepath.Dir(path))
		return filepath.Join(parent, filepath.Base(path)), err
	}
	return followed, err
}

// Owner is the mark on everything that Steamer makes on a container engine: who made it and until
// when it is wanted.
type Owner struct {
	Version int    `json:"version"`
	Name    string `json:"name"` // of the cluster
	Identity
	Process
	Run     string        `json:"run"` // ID of the run that made it
	Created time.Time     `json:"created"`
	TTL     time.Duration `json:"ttl"`  // after this, cluster gc removes a kept cluster
	Keep    bool          `json:"keep"` // meant to outlive its run
	// HostPort and SecondPort are the cluster's loopback ports; SecondPort is 0 where there is
	// none.
	HostPort   int `json:"hostPort"`
	SecondPort int `json:"secondPort,omitempty"`
	// ShardPort is the first of Shards loopback ports in a row.
	ShardPort int `json:"shardPort,omitempty"`
	Shards    int `json:"shards,omitempty"`
}

// text is the mark as a label holds it.
func (o Owner) text() string {
	data, err := json.Marshal(o)
	if err != nil {
		panic(err) // a struct of strings, numbers and a time
	}
	return string(data)
}

// parseMark reads what text wrote. Everything else is an error, because a mark that is only half
// understood proves nothing.
func parseMark(text string) (Owner, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal([]byte(text), &version); err != nil {
		return Owner{}, fmt.Errorf("its mark is not JSON: %w", err)
	}
	if version.Version != markVersion {
		return Owner{}, fmt.Errorf("its mark has version %d and this Steamer reads version %d", version.Version, markVersion)
	}
	var o Owner
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return Owner{}, fmt.Errorf("its mark: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Owner{}, errors.New("its mark is followed by something else")
	}
	if o.Machine == "" || o.Cache == "" || o.PID <= 0 || o.Created.IsZero() || o.TTL <= 0 || checkName(o.Name) != nil {
		return Owner{}, errors.New("its mark lacks an owner, a process, a time or a name")
	}
	return o, nil
}

// markDir begins the part of a mount's source that is the mark: the text in URL-safe base 64, cut
// into names of directories and of a file. kind gives its containers labels of its own only, and a
// file's content could be changed or be unreadable; the source of a mount comes into being with
// the container, stays as it is, and the daemon shows it to everybody who may delete the
// container.
const markDir = "steamer-owner"

// markName is how long the name of a directory may be; file systems allow 255 bytes.
const markName = 200

// source is the path below dir that carries the mark.
func (o Owner) source(dir string) string {
	path, rest := filepath.Join(dir, markDir), base64.RawURLEncoding.EncodeToString([]byte(o.text()))
	for len(rest) > markName {
		path, rest = filepath.Join(path, rest[:markName]), rest[markName:]
	}
	return filepath.Join(path, rest)
}

// parseSource reads the mark in the source of a mount.
func parseSource(path string) (Owner, error) {
	_, encoded, found := strings.Cut(path, "/"+markDir+"/")
	if !found {
		return Owner{}, errors.New("its mark is of an earlier Steamer, or no mark")
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.ReplaceAll(encoded, "/", ""))
	if err != nil {
		return Owner{}, fmt.Errorf("its mark is damaged: %w", err)
	}
	return parseMark(string(text))
}
