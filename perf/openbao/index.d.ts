/**
 * k6/x/openbao works with OpenBao as GitLab does, in native Go. It fetches secrets as CI jobs do and writes them as
 * Rails does. It checks every value and emits k6 metrics: openbao_fetch_duration, openbao_fetch_intended,
 * openbao_step_duration (trends, ms), openbao_fetches, openbao_attempts, openbao_wrong_values,
 * openbao_fetches_interrupted (counters), openbao_fetch_failed and openbao_attempt_failed (rates).
 */
export as namespace openbao;

/** What a client does. */
export type Mode =
  /** One GET with inline authentication, as GitLab Runner fetches from GitLab Secrets Manager. */
  | "inline"
  /** Login, then GET with the client token, as GitLab Runner does with HashiCorp Vault. The token expires by itself. */
  | "login-read"
  /** The same, then the token revokes itself. */
  | "login-read-revoke"
  /** GitLab's Rails creating, updating, listing and deleting secrets. Needs a fixture of version 2. */
  | "rails"
  /** One of the others for each fetch, drawn by weights. */
  | "mixed";

/** An operation of mode "rails". */
export type Operation = "create" | "update" | "list" | "delete";

/** Options of a client. Unknown options are errors. */
export interface ClientOptions {
  /** Default "inline". */
  mode?: Mode;
  /** Required with mode "mixed", and only there: how often each mode is drawn, in proportion. */
  weights?: Partial<Record<Exclude<Mode, "mixed">, number>>;
  /** How often each of Rails' operations is drawn. Default create 1, update 2, list 4, delete 1. */
  operations?: Partial<Record<Operation, number>>;
  /**
   * Keep the connection open. Default false: GitLab Runner opens one for each secret, Rails one for each call. The
   * login and the read of one fetch share a connection either way.
   */
  reuse?: boolean;
  /**
   * Repeat failed calls of fetches as GitLab Runner's client does: at most twice, after 1.0-1.5 s and 2.0-3.0 s or as
   * Retry-After says, on connection errors, 412, 429, and 5xx except 501. Default false. Rails repeats nothing.
   */
  retries?: boolean;
  /** Longest time for one call with its repetitions: a duration string, or milliseconds. Default "60s", as in Runner. */
  timeout?: string | number;
  /** PEM file with the certificates to trust. Default: those of the fixture, else k6's. */
  ca?: string;
  /**
   * How tenants are chosen: "uniform" (default); "zipf", the k-th tenant of the fixture in proportion to 1/k^exponent;
   * "hot", a share of the fetches to the first few tenants; "cold", one after the other, each once per pass of all
   * VUs together. Within the tenant, the secret and the job token are chosen uniformly.
   */
  choice?: "uniform" | "zipf" | "hot" | "cold";
  /** For "zipf": above 0, at most 10. Default 1. */
  exponent?: number;
  /** For "hot": how many tenants are hot. */
  hotTenants?: number;
  /** For "hot": the share of fetches to those tenants, above 0 and at most 1. */
  hotShare?: number;
  /** Mode "rails": let a job fetch what was created or updated, and check that it is the new value. Default true. */
  verify?: boolean;
  /** Seed of all choices. The same seed and VU number make the same sequence. Default 1. */
  seed?: number;
}

/** The result of one fetch, or of one operation of Rails. */
export interface FetchResult {
  /** Success, with the expected value. */
  readonly ok: boolean;
  /** Status 200 with a value other than the expected one. */
  readonly wrong: boolean;
  /** What was done. In mode "rails" it is the drawn operation or, if that is impossible, the nearest possible one. */
  readonly kind: Exclude<Mode, "mixed" | "rails"> | Operation;
  /** HTTP status of the last call, 0 if there was no answer. */
  readonly status: number;
  /**
   * Why it failed, or "": "status", "timeout", "refused", "reset", "dial", "tls", "protocol", "malformed" (status
   * 200 without a value), "value" (a wrong one), "busy" (other VUs write to every tenant).
   */
  readonly error: string;
  /** Number of requests, repetitions included. */
  readonly attempts: number;
  /** Number of repetitions. */
  readonly retries: number;
  /** Milliseconds from the actual start, connecting included, to the end of the last answer. */
  readonly duration: number;
}

/** One VU's client. Make it once, in the init context. */
export interface Client {
  /** One fetch, or one operation of Rails. */
  fetch(): FetchResult;
}

/** Tenants, job tokens and expected values, read once per process and shared by all VUs. */
export interface Fixture {
  /** Number of tenants. */
  readonly tenants: number;
  /** Number of secrets of all tenants. */
  readonly secrets: number;
  /** Makes a client for this VU. */
  client(options?: ClientOptions): Client;
}

/** Reads the fixture at path, for example "/dev/fd/3" (a pipe, so that job tokens are never in a file). */
export function fixture(path: string): Fixture;

declare const openbao: { fixture: typeof fixture };
export default openbao;
