package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// How often Debian's mirror is asked which versions it has, and how long a machine that knows some
// waits for the answer.
const (
	askedDaily  = 24 * time.Hour
	askedJust   = 10 * time.Minute // before packages are fetched: an old version leaves the mirror when a new one comes
	patience    = 30 * time.Second
	patienceAll = 5 * time.Minute // where nothing is known
)

// Versions are the versions of Debian packages that one command uses. It keeps to them however
// long it runs, and whatever another process on the cache learns. The zero value is ready; it is
// safe for concurrent use. Nil keeps nothing.
type Versions struct {
	guard sync.Mutex
	found map[string][]string // by the name of the kept file
}

// All returns them, for another process to keep to.
func (v *Versions) All() map[string][]string {
	if v == nil {
		return nil
	}
	v.guard.Lock()
	defer v.guard.Unlock()
	return maps.Clone(v.found)
}

// Adopt keeps to what All of another process returned.
func (v *Versions) Adopt(all map[string][]string) {
	v.guard.Lock()
	defer v.guard.Unlock()
	v.found = maps.Clone(all)
}

func (v *Versions) get(name string) []string {
	if v == nil {
		return nil
	}
	v.guard.Lock()
	defer v.guard.Unlock()
	return v.found[name]
}

func (v *Versions) set(name string, packages []string) {
	if v == nil {
		return
	}
	v.guard.Lock()
	defer v.guard.Unlock()
	if v.found == nil {
		v.found = map[string][]string{}
	}
	v.found[name] = packages
}

// resolved is what the cache keeps about a root file system: the packages that the mirror would
// give for it.
type resolved struct {
	Packages []string  `json:"packages"` // name=version, sorted; dependencies included
	Found    time.Time `json:"found"`    // when the mirror had them
	Asked    time.Time `json:"asked"`    // when it was last asked, answered or not
}

// within reports whether the mirror was asked that short ago. A time to come is of a wrong clock
// and counts as long ago.
func (k *resolved) within(span time.Duration) bool {
	age := time.Since(k.Asked)
	return age >= 0 && age < span
}

// pinned is a package of one version as Debian's policy spells both.
var pinned = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+=[0-9A-Za-z.+:~-]+$`)

// complete reports whether the list can be the root's: whatever a file that was cut short or
// edited holds is not.
func (r rootfs) complete(packages []string) bool {
	for _, p := range packages {
		if !pinned.MatchString(p) {
			return false
		}
	}
	for _, wanted := range r.packages {
		if !slices.ContainsFunc(packages, func(p string) bool { return strings.HasPrefix(p, wanted+"=") }) {
			return false
		}
	}
	return len(packages) > 0
}

// keptPath is the file about a root file system. Another list of packages has another file. It is
// beside the images: whoever copies them copies it.
func (b *Builder) keptPath(r rootfs) (string, error) {
	key, err := b.key(r.arguments(r.packages))
	return filepath.Join(b.Cache, "images", r.label+"-"+key+".versions.json"), err
}

// readKept returns nil where the file is missing or is not a whole answer.
func readKept(path string, r rootfs) *resolved {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var k resolved
	if json.Unmarshal(data, &k) != nil || !r.complete(k.Packages) {
		return nil
	}
	return &k
}

// writeKept replaces the file whole. The caller holds the lock.
func writeKept(path string, k *resolved) error {
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	partial := path + ".partial"
	defer os.Remove(partial)
	if err := os.WriteFile(partial, data, 0o644); err != nil {
		return err
	}
	return os.Rename(partial, path)
}

// errUnknownVersions is why a built image has no reference yet.
var errUnknownVersions = errors.New("the versions of its Debian packages are not known yet")

// known returns the packages of a recipe's root file systems, by label, as far as no mirror has to
// be asked.
func (b *Builder) known(roots []rootfs) (map[string][]string, error) {
	all := map[string][]string{}
	for _, r := range roots {
		path, err := b.keptPath(r)
		if err != nil {
			return nil, err
		}
		k := readKept(path, r)
		if k == nil {
			return nil, fmt.Errorf("%w (%s)", errUnknownVersions, r.label)
		}
		all[r.label] = k.Packages
	}
	return all, nil
}

// packages returns the packages of a recipe's root file systems, by label. The mirror is asked for
// what was not asked within the span.
func (b *Builder) packages(ctx context.Context, roots []rootfs, span time.Duration) (map[string][]string, error) {
	all := map[string][]string{}
	for _, r := range roots {
		path, err := b.keptPath(r)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(path)
		if span == askedDaily {
			if all[r.label] = b.Versions.get(name); r.complete(all[r.label]) {
				continue
			}
		}
		if all[r.label], err = b.ask(ctx, r, path, span); err != nil {
			return nil, fmt.Errorf("versions of the Debian packages of %s: %w", r.label, err)
		}
		b.Versions.set(name, all[r.label])
	}
	return all, nil
}

// versionsLane is the lock of the file about a root file system.
func versionsLane(r rootfs) string { return "versions-" + r.label }

// ask returns the kept packages of a root file system, or else those of the mirror, which it
// keeps. Where the mirror does not answer, old ones do.
func (b *Builder) ask(ctx context.Context, r rootfs, path string, span time.Duration) ([]string, error) {
	if k := readKept(path, r); k != nil && (b.Offline || k.within(span)) {
		return k.Packages, nil
	}
	if b.Offline {
		return nil, errors.New("they are not known, and there is no network here to look them up")
	}
	release, err := b.lock(ctx, versionsLane(r))
	if err != nil {
		return nil, err
	}
	defer release()
	k := readKept(path, r)
	if k != nil && k.within(span) { // asked while this one waited
		return k.Packages, nil
	}
	limit := patienceAll
	if k != nil {
		limit = patience
	}
	asking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	simulate := b.simulated
	if b.simulate != nil {
		simulate = b.simulate
	}
	done, now := b.work("versions of the Debian packages of "+r.label), time.Now()
	packages, err := simulate(asking, r)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil:
		done()
		k = &resolved{Packages: packages, Found: now, Asked: now}
	case k == nil:
		return nil, err
	default:
		b.work(fmt.Sprintf("Debian's mirror does not answer: keeping the versions of %s from %s", r.label,
			k.Found.UTC().Format(time.DateTime+" UTC")))
		k.Asked = now
	}
	return k.Packages, writeKept(path, k)
}

// simulated asks Debian's mirror by mmdebstrap, which also makes the root file system: nothing
// else chooses the same packages for certain. The caller holds the lock of the root's versions.
func (b *Builder) simulated(ctx context.Context, r rootfs) ([]string, error) {
	work, err := b.emptyDir("rootfs", versionsLane(r))
	if err != nil {
		return nil, err
	}
	defer removeTree(work)
	output, err := mmdebstrap(ctx, work, append([]string{"--simulate", "--verbose"},
		append(r.arguments(r.packages), "/dev/null")...)...)
	if err != nil {
		return nil, fmt.Errorf("mmdebstrap --simulate: %w", err)
	}
	packages := installed(output)
	if !r.complete(packages) {
		return nil, fmt.Errorf("mmdebstrap --simulate names no versions of %v", r.packages)
	}
	return packages, nil
}

// installed are the packages that apt says it would install, in lines such as "Inst libc6 (2.36-9
// Debian:12.15/oldstable [amd64])".
func installed(output string) []string {
	var packages []string
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "Inst" {
			continue
		}
		for _, field := range fields[2:] { // a version that it replaces comes before, in brackets
			if version, ok := strings.CutPrefix(field, "("); ok {
				packages = append(packages, fields[1]+"="+version)
				break
			}
		}
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}
