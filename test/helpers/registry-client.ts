/** A registry client for tests: quick retries, a context that keeps what was logged, an environment of its own. */
import type { Context } from "../../src/core/context.ts";
import { silentContext } from "../../src/core/context.ts";
import { DevboxError } from "../../src/core/errors.ts";
import { createRegistryClient, type RegistryClient, type RegistryClientOptions } from "../../src/registry/client.ts";
import type { HttpTimeouts } from "../../src/registry/http/http-client.ts";
import type { RetryPolicy } from "../../src/registry/retry.ts";

export const quickRetry: RetryPolicy = { attempts: 3, baseMs: 1, maxMs: 4, retryAfterMaxMs: 2_000 };

/** For tests of time-outs only: short enough to wait for, long enough for a busy machine not to run into. */
export const shortTimeouts: HttpTimeouts = { connectMs: 5_000, headersMs: 400, bodyStallMs: 400, uploadAnswerMs: 400 };

export interface RecordingContext extends Context {
  /** One line a message, fields included. */
  readonly lines: string[];
}

/** `env` replaces the process's: no credentials or proxies of the machine get into a test. */
export function recordingContext(env: Context["env"] = {}, signal?: AbortSignal): RecordingContext {
  const lines: string[] = [];
  const write = (message: string, fields?: object): void => {
    lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  const log = { debug: write, info: write, warn: write };
  return {
    ...silentContext(signal),
    env: { HOME: "/nonexistent", XDG_RUNTIME_DIR: "/nonexistent", ...env },
    log,
    lines,
  };
}

export function openClient(
  host: string,
  context: Context = recordingContext(),
  options: Partial<RegistryClientOptions> = {},
): RegistryClient {
  const defaults = { registry: host, repository: "team/app", tlsVerify: true, retry: quickRetry };
  return createRegistryClient(context, { ...defaults, ...options });
}

/** The error that a promise must reject with. */
export async function failureOf(promise: Promise<unknown>): Promise<DevboxError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof DevboxError) return error;
  throw new Error(`expected a DevboxError, got ${String(error)}`, { cause: error });
}

export async function readStream(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bytes that differ everywhere, so that a shifted resume shows. */
export function patternBytes(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let index = 0, state = seed; index < words.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}
