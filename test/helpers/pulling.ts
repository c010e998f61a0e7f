/** Pulls in this process and in others, for tests. */
import { join } from "node:path";
import type { Context } from "../../src/core/context.ts";
import { readHostFacts } from "../../src/host/read-facts.ts";
import { type Pulled, pull } from "../../src/image/pull/pull.ts";
import { openWorkerPool } from "../../src/image/workers/open-worker-pool.ts";
import { removeTrees } from "../../src/image/workers/trash.ts";
import { hostPlatform } from "../../src/oci/platform.ts";
import { parseReference } from "../../src/oci/reference.ts";
import type { Store } from "../../src/store/types.ts";
import { type TemporaryStore, temporaryStore } from "./temporary-store.ts";

/** A temporary store whose layers may belong to mapped ids, so that only a worker can remove it. */
export function temporaryPullStore(): TemporaryStore & AsyncDisposable {
  const temporary = temporaryStore();
  return {
    ...temporary,
    async [Symbol.asyncDispose]() {
      await using pool = openWorkerPool(readHostFacts(process.env));
      await removeTrees(pool, [temporary.store.root]);
      temporary[Symbol.dispose]();
    },
  };
}

export function pullHere(context: Context, store: Store, reference: string): Promise<Pulled> {
  const options = { platform: hostPlatform(), tlsVerify: true };
  return pull(context, store, () => readHostFacts(process.env), parseReference(reference), options);
}

export interface PullingProcess {
  readonly pid: number;
  /** What it printed so far and prints from now on, line by line. */
  readonly events: AsyncIterable<string>;
  kill(): void;
  readonly exited: Promise<number>;
  readonly errors: () => Promise<string>;
}

/** A process of its own that pulls: programs/pull.ts. */
export function pullElsewhere(store: Store, reference: string): PullingProcess {
  const command = [process.execPath, join(import.meta.dir, "programs/pull.ts"), reference];
  const env = { ...process.env, DEVBOX_STORE: store.root };
  const child = Bun.spawn(command, { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  return {
    pid: child.pid,
    events: linesOf(child.stdout),
    kill: () => child.kill("SIGKILL"),
    exited: child.exited,
    errors: () => new Response(child.stderr).text(),
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
