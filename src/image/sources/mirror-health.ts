/** Which mirrors are worth asking: over the tries of one pull, which opens its sources anew each time. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";

export interface MirrorHealth {
  isOut(mirror: string): boolean;
  /** Do not ask it any more. */
  putOut(mirror: string): void;
  /** Blobs come from it. */
  used(mirror: string): void;
}

/** All are well to begin with. `inUse`: those that blobs came from. */
export function openMirrorHealth(): { readonly health: MirrorHealth; readonly inUse: Set<string> } {
  const [out, inUse] = [new Set<string>(), new Set<string>()];
  const health: MirrorHealth = {
    isOut: (mirror) => out.has(mirror),
    putOut: (mirror) => void out.add(mirror),
    used: (mirror) => void inUse.add(mirror),
  };
  return { health, inUse };
}

/** Several downloads run side by side, so several may hold wrong bytes of one mirror; a bound for what should end by itself. */
const maxTries = 8;

/**
 * Try again without the mirrors that the content came from, when it turned out to be wrong. Only its taker knows: a
 * digest is known at the end, when all has been passed on. The taker deletes what is wrong; other blobs that were under
 * way may hold wrong bytes as well, and each is found out by a further try.
 * @param attempt opens its sources with this health, and closes them
 */
export async function avoidingBadMirrors<T>(
  context: Context,
  attempt: (health: MirrorHealth) => Promise<T>,
): Promise<T> {
  const { health, inUse } = openMirrorHealth();
  const blamed = new Set<string>();
  for (let tries = 1; ; tries++) {
    inUse.clear();
    try {
      return await attempt(health);
    } catch (error) {
      if (context.signal.aborted || !isWrongContent(error) || tries >= maxTries) throw error;
      const isNew = inUse.size > 0;
      for (const mirror of inUse) {
        health.putOut(mirror);
        blamed.add(mirror);
      }
      if (!isNew && !(blamed.size > 0 && isOfEarlierTry(error))) throw error;
      context.log.debug("trying without the mirrors that this came from", {
        mirrors: [...blamed].join(", "),
        because: error.message,
      });
    }
  }
}

/** `fetchBlob` says so of content that it has gone on with. */
function isOfEarlierTry({ cause }: DevboxError): boolean {
  return isWrongContent(cause);
}

function isWrongContent(error: unknown): error is DevboxError {
  return error instanceof DevboxError && (error.code === "DIGEST_MISMATCH" || error.code === "SIZE_MISMATCH");
}
