// Fetches secrets as fast as a fixed number of VUs can, for a fixed time. This closed loop shows the throughput of a
// server at that concurrency, and hides how long jobs would have waited. Steamer's experiments compare two servers with
// it. For a verdict on latency use fetch.js.
//
//   STEAMER_FIXTURE   where to read tenants and job tokens (default /dev/fd/3)
//   STEAMER_WARMUP    length of the warm-up, "0s" for none (default 1s)
//   STEAMER_DURATION  length of the measurement            (default 5s)
//   STEAMER_VUS       VUs, each with one fetch in flight   (default 16)
//   STEAMER_REUSE     "true" keeps connections open        (default false, as GitLab Runner)
//   STEAMER_MODE      way to fetch                         (default inline)
//   STEAMER_SEED      seed of the choice of secrets        (default 1)
import openbao from 'k6/x/openbao';

const env = (name, fallback) => __ENV[`STEAMER_${name}`] || fallback;
const warmup = env('WARMUP', '1s');
const vus = Number(env('VUS', '16'));

function scenario(phase, startTime, duration, gracefulStop) {
  return { executor: 'constant-vus', exec: 'fetch', tags: { phase }, vus, startTime, duration, gracefulStop };
}

const scenarios = {};
if (!/^0(ms|s|m|h)?$/.test(warmup)) {
  // Fetches still running after a second are cut off: they would share the server with the measurement.
  scenarios.warmup = scenario('warmup', '0s', warmup, '1s');
}
scenarios.measure = scenario('measure', scenarios.warmup ? warmup : '0s', env('DURATION', '5s'), '10s');

export const options = { scenarios, noCookiesReset: true };

const client = openbao.fixture(env('FIXTURE', '/dev/fd/3')).client({
  mode: env('MODE', 'inline'),
  reuse: env('REUSE', 'false') === 'true',
  seed: Number(env('SEED', '1')),
});

export function fetch() {
  client.fetch();
}
