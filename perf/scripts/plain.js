// The fetch of fetch.js written in plain k6 JavaScript with k6/http, for comparison. make bench runs both in turns
// against the same server. It checks that a value came, but not which one: that needs a SHA-256.
//
//   STEAMER_FIXTURE     fixture file; a regular file, since k6 reads it once per VU
//   STEAMER_ITERATIONS  number of fetches (default 1000)
//   STEAMER_VUS         VUs               (default 10)
//   STEAMER_REUSE       "true" keeps connections open (default false)
//   STEAMER_RATE        fetches per second: an open loop of STEAMER_DURATION (default 5s) with STEAMER_MAX_VUS (default 200)
//                       instead of the closed one; its counters are printed as JSON
import http from 'k6/http';
import encoding from 'k6/encoding';
import { check } from 'k6';
import { SharedArray } from 'k6/data';

const reuse = __ENV.STEAMER_REUSE === 'true';

const rate = Number(__ENV.STEAMER_RATE || '0');
const vus = Number(__ENV.STEAMER_VUS || '10');

export const options = {
  scenarios: {
    fetch: rate > 0 ? {
      executor: 'constant-arrival-rate',
      rate,
      timeUnit: '1s',
      duration: __ENV.STEAMER_DURATION || '5s',
      gracefulStop: '10s',
      preAllocatedVUs: vus,
      maxVUs: Number(__ENV.STEAMER_MAX_VUS || '200'),
    } : {
      executor: 'shared-iterations',
      vus,
      iterations: Number(__ENV.STEAMER_ITERATIONS || '1000'),
      maxDuration: '10m',
    },
  },
  noConnectionReuse: !reuse,
  noCookiesReset: true,
};

const param = (key, value) => encoding.b64encode(JSON.stringify({ key, value }), 'rawurl');

// One entry per secret, with all that can be computed beforehand.
const secrets = new SharedArray('secrets', () => {
  const fixture = JSON.parse(open(__ENV.STEAMER_FIXTURE));
  return fixture.tenants.flatMap((t) => t.secrets.map((s) => ({
    url: `${fixture.target}/v1/${t.secretPath}/${s.name}`,
    params: {
      headers: {
        'X-Vault-Request': 'true',
        'X-Vault-Inline-Auth-Path': t.authPath,
        'X-Vault-Inline-Auth-Parameter-jwt': param('jwt', t.jwt),
        'X-Vault-Inline-Auth-Parameter-role': param('role', t.role),
      },
      tags: { name: 'fetch' }, // one time series instead of one per URL
    },
  })));
});

export default function () {
  const s = secrets[Math.floor(Math.random() * secrets.length)];
  const r = http.get(s.url, s.params);
  check(r, {
    'status is 200': (a) => a.status === 200,
    'a value came': (a) => a.status === 200 && a.json().data.data.value.length > 0,
  });
}

export function handleSummary(data) {
  if (!(rate > 0)) {
    return {};
  }
  const count = (metric, value) => (metric in data.metrics ? data.metrics[metric].values[value] : 0);
  return {
    stdout: `${JSON.stringify({
      iterations: count('iterations', 'count'), dropped: count('dropped_iterations', 'count'), failed: count('checks', 'fails'),
    })}\n`,
  };
}
