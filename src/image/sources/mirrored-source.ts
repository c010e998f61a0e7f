/**
 * Several places of one image as one source: each question goes to the first that can answer it. A download that breaks
 * off goes on at the next place from where it was.
 *
 * What a tag means is the word of the first place that knows it, as in podman; everything below is asked by digest, and
 * verified, so that a mirror can give nothing but that.
 */

import type { Context } from "../../core/context.ts";
import { DevboxError, describeCause } from "../../core/errors.ts";
import { beyond } from "../../core/streams.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { MirrorHealth } from "./mirror-health.ts";
import type { ImageSource } from "./source.ts";

export interface PlacedSource {
  /** `mirror.example.com/hub/library/debian`, for messages. */
  readonly name: string;
  readonly source: ImageSource;
}

type OpenStream = Awaited<ReturnType<ImageSource["fetchBlob"]>>;

/** Opened at one of the places. */
interface PlacedStream extends OpenStream {
  readonly place: PlacedSource;
}

/**
 * @param mirrors in the order in which they are asked
 * @param primary asked last; its failure is the one that is reported
 */
export function openMirroredSource(
  context: Context,
  mirrors: readonly PlacedSource[],
  primary: PlacedSource,
  health: MirrorHealth,
): ImageSource {
  const failures = new Map<PlacedSource, string>();

  const passOver = (place: PlacedSource, error: unknown, isBlob: boolean): void => {
    if (context.signal.aborted || place === primary || !(error instanceof DevboxError)) {
      throw place === primary ? withFailures(error, failures) : error;
    }
    const because = describeCause(error);
    const isKnown = failures.has(place);
    failures.set(place, because);
    // A blob that it does not have says nothing about the others; whatever else is wrong is so with the next question.
    if (!isBlob || error.code !== "REGISTRY_NOT_FOUND") health.putOut(place.name);
    if (error.code === "REGISTRY_UNREACHABLE" && !isKnown) {
      context.log.warn("a mirror is passed over", { mirror: place.name, because });
    } else context.log.debug("a mirror is passed over", { mirror: place.name, because });
  };

  const ask = async <T>(question: (place: PlacedSource) => Promise<T>, tried?: Set<PlacedSource>): Promise<T> => {
    for (const place of mirrors) {
      if (health.isOut(place.name) || tried?.has(place) === true) continue;
      tried?.add(place);
      try {
        return await question(place);
      } catch (error) {
        passOver(place, error, tried !== undefined);
      }
    }
    try {
      return await question(primary);
    } catch (error) {
      throw withFailures(error, failures);
    }
  };

  const openBlob = (descriptor: Descriptor, offset: number, tried: Set<PlacedSource>): Promise<PlacedStream> =>
    ask(async (place) => {
      const opened = await place.source.fetchBlob(descriptor, { offset });
      if (place !== primary) health.used(place.name);
      return { ...opened, place };
    }, tried);

  /** From the offset of the first stream to the end, whatever becomes of the places. */
  async function* streamBlob(descriptor: Descriptor, first: PlacedStream, tried: Set<PlacedSource>) {
    let position = first.offset;
    for (let opened = first; ; ) {
      try {
        for await (const chunk of beyond(opened, position)) {
          position += chunk.byteLength;
          yield chunk;
        }
        return;
      } catch (error) {
        passOver(opened.place, error, true);
      }
      opened = await openBlob(descriptor, position, tried);
    }
  }

  return {
    resolve: () => ask(({ source }) => source.resolve()),
    fetchManifest: (wanted) => ask(({ source }) => source.fetchManifest(wanted)),
    fetchSmallBlob: (descriptor, maxBytes) => ask(({ source }) => source.fetchSmallBlob(descriptor, maxBytes)),
    fetchBlob: async (descriptor, { offset }) => {
      const tried = new Set<PlacedSource>();
      const first = await openBlob(descriptor, offset, tried);
      return { offset: first.offset, stream: streamBlob(descriptor, first, tried) };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...mirrors, primary].map(({ source }) => source[Symbol.asyncDispose]()));
    },
  };
}

/** The failure of the primary place, and why nobody else could help. */
function withFailures(error: unknown, failures: ReadonlyMap<PlacedSource, string>): unknown {
  if (!(error instanceof DevboxError) || failures.size === 0) return error;
  const others = [...failures].map(([{ name }, because]) => `${name}: ${because}`).join("; ");
  const because = `${error.because ?? "it failed"}; its mirrors neither: ${others}`;
  return new DevboxError(error.code, { step: error.step, because, hint: error.hint, cause: error });
}
