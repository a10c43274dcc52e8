// Fetches a fixed number of secrets as fast as the VUs can, with k6/x/openbao. make bench compares it with plain.js.
// To measure a server, use fetch.js: a closed loop hides how long jobs would have waited.
//
//   STEAMER_FIXTURE     where to read tenants and job tokens (default /dev/fd/3)
//   STEAMER_ITERATIONS  number of fetches (default 1000)
//   STEAMER_VUS         VUs               (default 10)
//   STEAMER_REUSE       "true" keeps connections open (default false)
import openbao from 'k6/x/openbao';

export const options = {
  scenarios: {
    fetch: {
      executor: 'shared-iterations',
      vus: Number(__ENV.STEAMER_VUS || '10'),
      iterations: Number(__ENV.STEAMER_ITERATIONS || '1000'),
      maxDuration: '10m',
    },
  },
  noCookiesReset: true,
};

const client = openbao
  .fixture(__ENV.STEAMER_FIXTURE || '/dev/fd/3')
  .client({ reuse: __ENV.STEAMER_REUSE === 'true' });

export default function () {
  client.fetch();
}
