// Every fetch starts 50 ms after its iteration was due.
import openbao from 'k6/x/openbao';
import { sleep } from 'k6';

export const options = {
  scenarios: {
    late: {
      executor: 'constant-arrival-rate', rate: 30, timeUnit: '1s', duration: '3s',
      preAllocatedVUs: 30, tags: { phase: 'measure' },
    },
  },
};

const client = openbao.fixture('/dev/fd/3').client({ reuse: true });

export default function () {
  sleep(0.05);
  client.fetch();
  client.fetch(); // has no scheduled start of its own
}
