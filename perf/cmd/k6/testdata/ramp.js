// Every fetch starts 50 ms after its iteration was due, at a rate that moves.
import openbao from 'k6/x/openbao';
import { sleep } from 'k6';

export const options = {
  scenarios: {
    ramp: {
      executor: 'ramping-arrival-rate', startRate: 10, timeUnit: '1s',
      stages: [
        { duration: '2s', target: 60 }, { duration: '0s', target: 30 }, { duration: '1s', target: 30 }, { duration: '1s', target: 10 },
      ],
      preAllocatedVUs: 30, tags: { phase: 'measure' },
    },
  },
};

const client = openbao.fixture('/dev/fd/3').client({ reuse: true });

export default function () {
  sleep(0.05);
  client.fetch();
}
