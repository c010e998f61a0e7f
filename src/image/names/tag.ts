/** `devbox tag` and `untag`: names of images. No content is touched. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { formatReference, type RegistryReference } from "../../oci/reference.ts";
import { editEntries, withNamed, withoutNames } from "../../store/index-file.ts";
import type { Store } from "../../store/types.ts";
import { entryOf, findImage } from "./find.ts";

/**
 * Give an image further names. What had one of them before stays, nameless.
 * @param source a name, or an id or the beginning of one
 * @throws DevboxError IMAGE_NOT_FOUND
 */
export async function tagImage(
  context: Context,
  store: Store,
  source: string,
  targets: readonly RegistryReference[],
): Promise<void> {
  await editEntries(context, store, (entries) => {
    const image = entryOf(findImage(store, entries, source, context.env));
    return targets.reduce((all, target) => withNamed(all, { ...image, name: formatReference(target) }), entries);
  });
}

/**
 * Take names away from an image, which stays, if need be without a name.
 * @param names empty: all of them
 * @returns the names that are gone
 * @throws DevboxError IMAGE_NOT_FOUND, also when the image does not have one of the names: nothing is changed then
 */
export async function untagImage(
  context: Context,
  store: Store,
  image: string,
  names: readonly RegistryReference[],
): Promise<readonly string[]> {
  let gone: readonly string[] = [];
  await editEntries(context, store, (entries) => {
    const { digest } = entryOf(findImage(store, entries, image, context.env)).descriptor;
    const its = entries.flatMap(({ name, descriptor }) => (descriptor.digest === digest ? (name ?? []) : []));
    gone = names.length === 0 ? its : names.map(formatReference);
    const stranger = gone.find((name) => !its.includes(name));
    if (stranger === undefined) return withoutNames(entries, gone);
    throw new DevboxError("IMAGE_NOT_FOUND", {
      step: `take the name ${stranger} from ${image}`,
      because: "it is not one of its names",
      hint: its.length === 0 ? "it has none" : `it has: ${its.join(", ")}`,
    });
  });
  return gone;
}
