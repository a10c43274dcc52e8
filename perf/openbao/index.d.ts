/**
 * k6/x/openbao fetches secrets from OpenBao the way GitLab CI jobs do, in native Go, checks every value, and emits
 * k6 metrics: openbao_fetch_duration, openbao_fetch_intended (trends, ms), openbao_fetches,
 * openbao_wrong_values, openbao_fetches_interrupted (counters) and openbao_fetch_failed (rate).
 */
export as namespace openbao;

/** Options of a client. Unknown options are refused. */
export interface ClientOptions {
  /** The way to fetch. "inline" (default): one GET with inline authentication, as GitLab Runner sends it. */
  mode?: "inline";
  /** Keep the connection open between fetches. Default false: GitLab Runner opens one for each secret. */
  reuse?: boolean;
  /** Longest time for one fetch: a duration string, or milliseconds. Default "60s", as in GitLab Runner. */
  timeout?: string | number;
  /** Seed of the choice of secrets; the same seed and VU number make the same sequence. Default 1. */
  seed?: number;
}

/** How one fetch went. */
export interface FetchResult {
  /** The expected value came with status 200. */
  readonly ok: boolean;
  /** Another value came with status 200. */
  readonly wrong: boolean;
  /** HTTP status, 0 if there was no answer. */
  readonly status: number;
  /**
   * Why it failed, or "": "status", "timeout", "refused", "reset", "dial", "tls", "protocol", "malformed" (status
   * 200 without a value), "value" (a wrong one).
   */
  readonly error: string;
  /** Milliseconds from the actual start, connecting included, to the end of the answer. */
  readonly duration: number;
}

/** One VU's way to OpenBao. Make it once, in the init context. */
export interface Client {
  /** Fetches one secret, chosen uniformly over tenants and then over the tenant's secrets. */
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

/** Reads the fixture at path, for example "/dev/fd/3" (a pipe, so that job tokens never are in a file). */
export function fixture(path: string): Fixture;

declare const openbao: { fixture: typeof fixture };
export default openbao;
