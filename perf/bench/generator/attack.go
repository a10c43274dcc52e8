package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// attackCommand makes this program a vegeta attack: it has to be a process of its own, for its CPU
// time to be known.
const attackCommand = "attack"

// tally is what an attack prints.
type tally struct {
	Done   int `json:"done"`   // started within the attack's length and answered with the right value
	Failed int `json:"failed"` // without a value or with a wrong one
}

func (b *bench) vegeta(ctx context.Context, reuse bool, n int) (usage, error) {
	u, t, err := b.startAttack(ctx, reuse, "-fetches", strconv.Itoa(n), "-workers", strconv.Itoa(b.vus))
	if err == nil && (t.Failed > 0 || t.Done != n) {
		err = fmt.Errorf("%d of %d fetches done, %d failed", t.Done, n, t.Failed)
	}
	u.fetches = n
	return u, err
}

func (b *bench) vegetaOpen(ctx context.Context, reuse bool, rate int) (trial, error) {
	u, t, err := b.startAttack(ctx, reuse, "-rate", strconv.Itoa(rate), "-length", b.trial.String(), "-workers",
		openWorkers(rate))
	return trial{
		scheduled: b.scheduled(rate), done: t.Done, failed: t.Failed,
		cpuShare: u.cpu.Seconds() / max(u.wall.Seconds(), 1e-9),
	}, err
}

func (b *bench) startAttack(ctx context.Context, reuse bool, args ...string) (usage, tally, error) {
	self, err := os.Executable()
	if err != nil {
		return usage{}, tally{}, err
	}
	args = append([]string{attackCommand, "-fixture", b.path("fixture.json"), "-reuse=" + strconv.FormatBool(reuse)},
		args...)
	u, out, err := b.start(ctx, nil, self, args...)
	if err != nil {
		return u, tally{}, err
	}
	var t tally
	return u, t, json.Unmarshal(out, &t)
}

// attack is the child: with -rate an open loop of -length, else a closed one of -fetches.
func attack(ctx context.Context, args []string) error {
	f := flag.NewFlagSet(attackCommand, flag.ContinueOnError)
	path := f.String("fixture", "", "fixture file")
	reuse := f.Bool("reuse", false, "keep connections")
	fetches := f.Int("fetches", 0, "fetches of a closed loop")
	rate := f.Int("rate", 0, "fetches per second of an open loop")
	length := f.Duration("length", 0, "length of the open loop")
	workers := f.Uint64("workers", 8, "most workers")
	if err := f.Parse(args); err != nil {
		return inputError{err}
	}
	fx, err := fixture.Load(*path)
	if err != nil {
		return err
	}
	targets, digests, err := targets(fx)
	if err != nil {
		return err
	}
	var given atomic.Int64
	targeter := func(t *vegeta.Target) error {
		if *fetches > 0 && given.Add(1) > int64(*fetches) {
			return vegeta.ErrNoTargets
		}
		*t = targets[rand.IntN(len(targets))] // #nosec G404 -- choosing a secret to read is no secret
		return nil
	}
	attacker := vegeta.NewAttacker(
		vegeta.Workers(min(*workers, 10)), vegeta.MaxWorkers(*workers), vegeta.KeepAlive(*reuse), vegeta.HTTP2(false),
		vegeta.Connections(int(*workers)), vegeta.Timeout(time.Minute), // #nosec G115 -- a few hundred at most
	)
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	var t tally
	for res := range attacker.Attack(targeter, vegeta.Rate{Freq: *rate, Per: time.Second}, *length, "") {
		switch {
		case res.Error == vegeta.ErrNoTargets.Error():
		case res.Code != http.StatusOK || !right(res.Body, digests[res.URL]):
			t.Failed++
		default:
			t.Done++
		}
	}
	return json.NewEncoder(os.Stdout).Encode(t)
}

// targets makes one request per secret, with all that can be computed beforehand, and the digests
// of the right values by URL.
func targets(fx *fixture.Fixture) ([]vegeta.Target, map[string]fixture.Digest, error) {
	var all []vegeta.Target
	digests := map[string]fixture.Digest{}
	for _, t := range fx.Tenants {
		header, err := inlineHeader(t)
		if err != nil {
			return nil, nil, err
		}
		for _, s := range t.Secrets {
			url := fx.Target + "/v1/" + t.SecretPath + "/" + s.Name
			all = append(all, vegeta.Target{Method: http.MethodGet, URL: url, Header: header})
			digests[url] = s.SHA256
		}
	}
	return all, digests, nil
}

// inlineHeader is OpenBao's inline authentication as GitLab Runner sends it: a path, and each
// parameter as base64url of a JSON object.
func inlineHeader(t fixture.Tenant) (http.Header, error) {
	h := http.Header{"X-Vault-Request": {"true"}, "X-Vault-Inline-Auth-Path": {t.AuthPath}}
	for key, value := range map[string]string{"jwt": t.JWT, "role": t.Role} {
		raw, err := json.Marshal(map[string]string{"key": key, "value": value})
		if err != nil {
			return nil, err
		}
		h["X-Vault-Inline-Auth-Parameter-"+key] = []string{base64.RawURLEncoding.EncodeToString(raw)}
	}
	return h, nil
}

// right reports whether an answer holds the value with that digest.
func right(body []byte, want fixture.Digest) bool {
	var answer struct {
		Data struct {
			Data struct {
				Value *string `json:"value"`
			} `json:"data"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Data.Data.Value == nil {
		return false
	}
	return sha256.Sum256([]byte(*answer.Data.Data.Value)) == want
}
