// Fetches secrets from OpenBao at a given arrival rate, as CI jobs do: first a warm-up, then the measurement. All
// settings come from the environment. Durations are k6 durations such as "60s" or "10m".
//
//   STEAMER_FIXTURE      where to read tenants and job tokens            (default /dev/fd/3)
//   STEAMER_RATE         fetches per second, fractions allowed           (default 10)
//   STEAMER_STAGES       how the measurement's rate moves from there: duration:rate of each stage, for example
//                        "0s:20,1m:20,30s:5". The rate is reached at the stage's end (default none: it stays). With a
//                        third part, "30s:90:excursion", the stage's samples have that phase instead of "measure"
//   STEAMER_WARMUP       length of the warm-up, "0s" for none            (default 15s)
//   STEAMER_DURATION     length of the measurement without stages        (default 60s)
//   STEAMER_VUS          VUs made before the start                       (default 20)
//   STEAMER_MAX_VUS      most VUs; other iterations are dropped          (default 200)
//   STEAMER_MODE         what to do                                      (default inline)
//   STEAMER_WEIGHTS      for mode mixed, for example "inline=9,rails=1"
//   STEAMER_OPERATIONS   weights of Rails' operations, for example "create=1,update=2,list=4,delete=1"
//   STEAMER_REUSE        "true" keeps connections open                   (default false, as GitLab Runner)
//   STEAMER_RETRIES      "true" repeats failed calls as GitLab Runner    (default false)
//   STEAMER_TIMEOUT      longest time for one call                       (default 60s, as GitLab Runner)
//   STEAMER_CA           PEM file with the certificates to trust         (default: the fixture's, else k6's)
//   STEAMER_CHOICE       of tenants: uniform, zipf, hot or cold          (default uniform)
//   STEAMER_EXPONENT     for zipf                                        (default 1)
//   STEAMER_HOT_TENANTS, STEAMER_HOT_SHARE   size of the hot set, and its share of the fetches
//   STEAMER_SEED         seed of the choice of secrets                   (default 1)
import openbao from 'k6/x/openbao';

const env = (name, fallback) => __ENV[`STEAMER_${name}`] || fallback;

const warmup = env('WARMUP', '15s');
const perSecond = (text) => {
  const rate = Number(text);
  if (!(rate > 0)) {
    throw new Error(`STEAMER_RATE or STEAMER_STAGES: ${text}: want a number above 0`);
  }
  return rate;
};
const units = {
  ms: 1, s: 1000, m: 60000, h: 3600000, d: 86400000,
};
const milliseconds = (text) => {
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) {
    throw new Error(`STEAMER_WARMUP, STEAMER_STAGES or STEAMER_TIMEOUT: ${text}: want a duration such as 30s`);
  }
  return [...text.matchAll(/([\d.]+)(ms|[smhd])/g)].reduce((sum, part) => sum + Number(part[1]) * units[part[2]], 0);
};
const rate = perSecond(env('RATE', '10'));
const stages = env('STAGES', '').split(',').filter((s) => s).map((stage) => {
  const [duration, target, phase] = stage.split(':');
  return { length: milliseconds(duration), target: perSecond(target), phase: phase || 'measure' };
});

// k6 takes whole iterations per time unit, so fractions become thousandths.
const whole = [rate, ...stages.map((s) => s.target)].every(Number.isInteger);
const times = (r) => (whole ? r : Math.round(r * 1000));
const timeUnit = whole ? '1s' : '1000s';

function scenario(phase, startTime, gracefulStop, arrival) {
  return {
    exec: 'fetch',
    tags: { phase },
    startTime,
    gracefulStop,
    timeUnit,
    preAllocatedVUs: Number(env('VUS', '20')),
    maxVUs: Number(env('MAX_VUS', '200')),
    ...arrival,
  };
}

const constant = (duration) => ({ executor: 'constant-arrival-rate', rate: times(rate), duration });
const scenarios = {};
if (!/^0(ms|s|m|h)?$/.test(warmup)) {
  // Warm-up fetches still running after a second are cut off: they would share VUs and server with the measurement.
  scenarios.warmup = scenario('warmup', '0s', '1s', constant(warmup));
}

// Each change of phase starts a new scenario: its schedule starts again, so that arrivals dropped before do not shift it,
// and k6 tags its samples. A stage without length is a jump to where the next stage begins.
const parts = [];
let from = rate;
let jump = false;
let at = scenarios.warmup ? milliseconds(warmup) : 0;
stages.forEach(({ length, target, phase }) => {
  if (length > 0) {
    if (parts.length === 0 || parts[parts.length - 1].phase !== phase) {
      parts.push({ phase, at, from, stages: [] });
    } else if (jump) {
      parts[parts.length - 1].stages.push({ duration: '0s', target: times(from) });
    }
    parts[parts.length - 1].stages.push({ duration: `${length}ms`, target: times(target) });
  }
  jump = length === 0;
  from = target;
  at += length;
});

// At the end k6 waits for slow fetches as long as a job would, so that they are measured, or fail by their own timeout.
// Only work of several calls can take longer; what is cut off is counted as interrupted.
const timeout = env('TIMEOUT', '60s');
const graceful = `${milliseconds(timeout) + 1000}ms`;
if (parts.length === 0) {
  scenarios.measure = scenario('measure', scenarios.warmup ? warmup : '0s', graceful, constant(env('DURATION', '60s')));
}
parts.forEach((part, i) => {
  scenarios[parts.length === 1 ? part.phase : `${part.phase}_${i + 1}`] = scenario(part.phase, `${part.at}ms`, graceful, {
    executor: 'ramping-arrival-rate', startRate: times(part.from), stages: part.stages,
  });
});

export const options = { scenarios, noCookiesReset: true };

// weights reads "inline=9,rails=1".
const weights = (text) => Object.fromEntries(text.split(',').map((w) => {
  const [name, weight] = w.split('=');
  return [name.trim(), Number(weight)];
}));

const settings = {
  mode: env('MODE', 'inline'),
  reuse: env('REUSE', 'false') === 'true',
  retries: env('RETRIES', 'false') === 'true',
  timeout,
  choice: env('CHOICE', 'uniform'),
  exponent: Number(env('EXPONENT', '1')),
  hotTenants: Number(env('HOT_TENANTS', '0')),
  hotShare: Number(env('HOT_SHARE', '0')),
  seed: Number(env('SEED', '1')),
};
for (const [option, text] of Object.entries({ weights: env('WEIGHTS', ''), operations: env('OPERATIONS', '') })) {
  if (text) {
    settings[option] = weights(text);
  }
}
if (env('CA', '')) {
  settings.ca = env('CA');
}

const client = openbao.fixture(env('FIXTURE', '/dev/fd/3')).client(settings);

export function fetch() {
  client.fetch();
}
