// Fetches secrets from two systems in turns, in short slices of a constant arrival rate. One process drives both, so that
// its own cost and the rest of the machine's work affect both equally. Each slice is a scenario whose phase is its number.
// Settings besides those of fetch.js:
//
//   STEAMER_FIXTURE, STEAMER_FIXTURE_B   the fixtures of A and B
//   STEAMER_TURNS                        the slices in order, for example "ABBABAAB"
//   STEAMER_DURATION                     length of a slice, in k6's units
//   STEAMER_STEP_MS                      milliseconds from the start of a slice to the start of the next
import openbao from 'k6/x/openbao';

const rate = Number(__ENV.STEAMER_RATE);
const step = Number(__ENV.STEAMER_STEP_MS);
const turns = __ENV.STEAMER_TURNS || '';
if (!(rate > 0) || !(step > 0) || !/^[AB]+$/.test(turns)) {
  const got = `STEAMER_RATE ${__ENV.STEAMER_RATE}, STEAMER_STEP_MS ${__ENV.STEAMER_STEP_MS}, STEAMER_TURNS ${turns}`;
  throw new Error(`${got}: want numbers above 0, and letters A and B`);
}

// k6 takes whole iterations per time unit, so fractions become thousandths.
const whole = Number.isInteger(rate);
const scenarios = {};
[...turns].forEach((arm, i) => {
  const phase = String(i).padStart(4, '0');
  scenarios[`turn_${phase}`] = {
    executor: 'constant-arrival-rate',
    exec: arm,
    tags: { phase },
    startTime: `${i * step}ms`,
    duration: __ENV.STEAMER_DURATION,
    rate: whole ? rate : Math.round(rate * 1000),
    timeUnit: whole ? '1s' : '1000s',
    // A fetch without an answer by then counts as interrupted: it would reach into the other system's slice.
    gracefulStop: '1s',
    preAllocatedVUs: Number(__ENV.STEAMER_VUS),
    maxVUs: Number(__ENV.STEAMER_MAX_VUS),
  };
});

export const options = { scenarios, noCookiesReset: true };

const settings = { mode: __ENV.STEAMER_MODE, reuse: __ENV.STEAMER_REUSE === 'true', seed: 1 };
const a = openbao.fixture(__ENV.STEAMER_FIXTURE).client(settings);
const b = openbao.fixture(__ENV.STEAMER_FIXTURE_B).client(settings);

export function A() {
  a.fetch();
}

export function B() {
  b.fetch();
}
