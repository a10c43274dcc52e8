// Fetches secrets from OpenBao at a constant arrival rate, as CI jobs do: a warm-up first, then the measurement at
// the same rate. All settings come from the environment; durations are k6 durations such as "60s" or "10m".
//
//   STEAMER_FIXTURE   where to read tenants and job tokens            (default /dev/fd/3)
//   STEAMER_RATE      fetches per second, fractions allowed           (default 10)
//   STEAMER_WARMUP    length of the warm-up, "0s" for none            (default 15s)
//   STEAMER_DURATION  length of the measurement                       (default 60s)
//   STEAMER_VUS       VUs made before the start                       (default 20)
//   STEAMER_MAX_VUS   most VUs; the rest of the iterations is dropped (default 200)
//   STEAMER_REUSE     "true" keeps connections open                   (default false, as GitLab Runner)
//   STEAMER_MODE      way to fetch                                    (default inline)
//   STEAMER_TIMEOUT   longest time for one fetch                      (default 60s, as GitLab Runner)
//   STEAMER_SEED      seed of the choice of secrets                   (default 1)
import openbao from 'k6/x/openbao';

const env = (name, fallback) => __ENV[`STEAMER_${name}`] || fallback;

const warmup = env('WARMUP', '15s');
const rate = Number(env('RATE', '10'));
if (!(rate > 0)) {
  throw new Error(`STEAMER_RATE=${env('RATE', '')}: want a number above 0`);
}

// k6 takes whole iterations per time unit, so fractions become thousandths.
const arrival = Number.isInteger(rate) ? { rate, timeUnit: '1s' } : { rate: Math.round(rate * 1000), timeUnit: '1000s' };

function scenario(phase, startTime, duration, gracefulStop) {
  return {
    executor: 'constant-arrival-rate',
    exec: 'fetch',
    tags: { phase },
    startTime,
    duration,
    gracefulStop,
    ...arrival,
    preAllocatedVUs: Number(env('VUS', '20')),
    maxVUs: Number(env('MAX_VUS', '200')),
  };
}

const scenarios = {};
if (!/^0(ms|s|m|h)?$/.test(warmup)) {
  // Warm-up fetches still running after a second are cut off: they would share VUs and server with the measurement.
  scenarios.warmup = scenario('warmup', '0s', warmup, '1s');
}
// Slow fetches at the end are waited for, up to a limit; those cut off are counted as interrupted.
scenarios.measure = scenario('measure', scenarios.warmup ? warmup : '0s', env('DURATION', '60s'), '10s');

export const options = { scenarios, noCookiesReset: true };

const client = openbao.fixture(env('FIXTURE', '/dev/fd/3')).client({
  mode: env('MODE', 'inline'),
  reuse: env('REUSE', 'false') === 'true',
  timeout: env('TIMEOUT', '60s'),
  seed: Number(env('SEED', '1')),
});

export function fetch() {
  client.fetch();
}
