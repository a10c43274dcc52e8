package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// luaScript makes wrk go through all secrets in turn. wrk formats each request once, before it
// starts.
func luaScript(fx *fixture.Fixture) []byte {
	var out bytes.Buffer
	out.WriteString("local close = os.getenv('STEAMER_REUSE') ~= 'true'\nlocal list = {}\n" +
		"local function add(path, headers)\n" +
		"  if close then headers['Connection'] = 'close' end\n  list[#list + 1] = wrk.format('GET', path, headers)\nend\n" +
		"function init(args)\n")
	for _, t := range fx.Tenants {
		for _, s := range t.Secrets {
			fmt.Fprintf(&out, "  add(%q, {['X-Vault-Request']='true',['X-Vault-Inline-Auth-Path']=%q,"+
				"['X-Vault-Inline-Auth-Parameter-jwt']=%q,['X-Vault-Inline-Auth-Parameter-role']=%q})\n",
				"/v1/"+t.SecretPath+"/"+s.Name, t.AuthPath, parameter("jwt", t.JWT), parameter("role", t.Role))
		}
	}
	out.WriteString("end\nlocal i = 0\nfunction request()\n  i = i % #list + 1\n  return list[i]\nend\n")
	return out.Bytes()
}

// parameter renders a parameter of inline authentication.
func parameter(key, value string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"key":%q,"value":%q}`, key, value)))
}

// wrkSeconds is how long wrk runs for the figures: it counts time, not requests.
const wrkSeconds = 4

// runWrk runs wrk for a second where few fetches are asked for, else for wrkSeconds. Starting it
// is part of both.
func (b *bench) runWrk(ctx context.Context, reuse bool, n int) (usage, error) {
	seconds := wrkSeconds
	if n <= b.few() {
		seconds = 1
	}
	took, out, err := b.start(ctx, nil, []string{"STEAMER_REUSE=" + strconv.FormatBool(reuse)}, b.wrk,
		"--threads", "1", "--connections", strconv.Itoa(b.vus), "--duration", strconv.Itoa(seconds)+"s", "--timeout", "30s",
		"--script", b.path("wrk.lua"), b.fixture.Target)
	if err != nil {
		return usage{}, err
	}
	took.fetches, err = wrkRequests(out)
	return took, err
}

var wrkCount = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)

// wrkRequests reads the number of requests out of wrk's report. It is an error when some failed.
func wrkRequests(report []byte) (int, error) {
	for _, trouble := range []string{"Non-2xx", "Socket errors"} {
		if i := bytes.Index(report, []byte(trouble)); i >= 0 {
			line, _, _ := bytes.Cut(report[i:], []byte("\n"))
			return 0, fmt.Errorf("wrk: %s", line)
		}
	}
	m := wrkCount.FindSubmatch(report)
	if m == nil {
		return 0, errors.New("wrk printed no number of requests")
	}
	return strconv.Atoi(string(m[1]))
}
