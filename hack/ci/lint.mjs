// Reads .gitlab-ci.yml as GitLab would, with gitlab-ci-local: the schema, the includes with their inputs, the matrices and the rules, for each
// occasion a pipeline is made for. Prints the jobs of each, and fails when they are not those of jobs.json: a job that nobody
// meant to add to merge requests, or that a rule silently took away from the nightly, shows as a difference.
// "node lint.mjs --write" rewrites jobs.json.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const occasions = {
  'merge request': { CI_PIPELINE_SOURCE: 'merge_request_event' },
  'push to the default branch': { CI_PIPELINE_SOURCE: 'push', CI_COMMIT_BRANCH: 'main', CI_DEFAULT_BRANCH: 'main' },
  nightly: { CI_PIPELINE_SOURCE: 'schedule', CI_COMMIT_BRANCH: 'main', CI_DEFAULT_BRANCH: 'main' },
  'tag of the chart': { CI_PIPELINE_SOURCE: 'push', CI_COMMIT_TAG: 'openbao-0.2.0', CI_COMMIT_REF_PROTECTED: 'true' },
  'tag of the chart, not protected': { CI_PIPELINE_SOURCE: 'push', CI_COMMIT_TAG: 'openbao-0.2.0', CI_COMMIT_REF_PROTECTED: 'false' },
  'tag of steamer': { CI_PIPELINE_SOURCE: 'push', CI_COMMIT_TAG: 'v0.2.0', CI_COMMIT_REF_PROTECTED: 'true' },
};
// What an occasion does not set is unset, whatever the machine's own git says.
const unset = { CI_COMMIT_BRANCH: '', CI_COMMIT_TAG: '', CI_DEFAULT_BRANCH: 'main', CI_COMMIT_REF_PROTECTED: 'false' };

const found = {};
for (const [occasion, variables] of Object.entries(occasions)) {
  const all = { ...unset, ...variables };
  const args = ['--list-json', '--ignore-predefined-vars', Object.keys({ ...all, CI_PIPELINE_SOURCE: '' }).join(',')];
  for (const [name, value] of Object.entries(all)) args.push('--variable', `${name}=${value}`);
  const out = execFileSync(join(here, 'node_modules/.bin/gitlab-ci-local'), args, {
    cwd: join(here, '../..'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 24,
  });
  found[occasion] = JSON.parse(out.slice(out.indexOf('['))).filter((j) => j.when !== 'never').map((j) => j.name + (j.when === 'manual' ? ' (manual)' : '')).sort();
  console.log(`${occasion}: ${found[occasion].length} jobs\n  ${found[occasion].join('\n  ')}`);
}
const file = join(here, 'jobs.json'), text = JSON.stringify(found, null, 2) + '\n';
if (process.argv.includes('--write')) {
  writeFileSync(file, text);
} else if (readFileSync(file, 'utf8') !== text) {
  console.error('ci-lint: the jobs are not those of hack/ci/jobs.json; if that is meant: node hack/ci/lint.mjs --write');
  process.exit(1);
}
console.log('ci-lint: clean');
