/** Where the parts of images that are here can be fetched again, by their digests: what the names of the images point to. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { parseReference } from "../../oci/reference.ts";
import type { Store } from "../../store/types.ts";
import { openSource, type SourceOptions } from "../sources/open-source.ts";
import type { ImageSource } from "../sources/source.ts";

export interface Origins extends AsyncDisposable {
  /**
   * Try one name after the other.
   * @throws DevboxError of the last one that was tried; IMAGE_NOT_FOUND where there is none
   */
  fetch(names: readonly string[], fetch: (source: ImageSource) => Promise<void>): Promise<void>;
}

/** Each source is opened when it is first needed, and closed with all others. */
export function openOrigins(context: Context, store: Store, options: SourceOptions): Origins {
  const stack = new AsyncDisposableStack();
  const sources = new Map<string, Promise<ImageSource>>();
  const open = async (name: string): Promise<ImageSource> =>
    stack.use(await openSource(context, store, parseReference(name), options));
  const sourceOf = (name: string): Promise<ImageSource> => {
    const source = sources.get(name) ?? open(name);
    sources.set(name, source);
    return source;
  };
  return {
    async fetch(names, fetch) {
      let failure: unknown = new DevboxError("IMAGE_NOT_FOUND", {
        step: "fetch it again",
        because: "the image has no name any more that would say where from",
      });
      for (const name of names) {
        try {
          await fetch(await sourceOf(name));
          return;
        } catch (error) {
          context.signal.throwIfAborted();
          failure = error;
        }
      }
      throw failure;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
