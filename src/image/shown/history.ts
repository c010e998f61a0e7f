/** How an image was made, step by step: its config's history, with the layers that the steps have left. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { Digest } from "../../oci/descriptor.ts";
import type { ImageConfig, ImageHistory } from "../../oci/image.ts";
import { readImageContent, storedLayers } from "../../store/images.ts";
import { readEntries } from "../../store/index-file.ts";
import { layerBytes } from "../../store/layers.ts";
import type { Store } from "../../store/types.ts";
import { entryOf, findImage } from "../names/find.ts";

export interface HistoryStep {
  /** Of the image, at its last step; undefined: what the steps before have made is no image here. */
  readonly id: Digest | undefined;
  /** RFC 3339, as the image says. */
  readonly created: string | undefined;
  readonly createdBy: string;
  readonly comment: string;
  readonly author: string | undefined;
  /** Of the layer that the step has left; undefined: it left none. */
  readonly diffId: Digest | undefined;
  /** Uncompressed bytes of that layer; 0 without one. */
  readonly sizeBytes: number;
  /** Names of the image, at its last step. */
  readonly names: readonly string[];
}

/** The last step first. @throws DevboxError IMAGE_NOT_FOUND, BAD_REFERENCE, STORE_DAMAGED */
export function imageHistory(store: Store, text: string, env: Context["env"]): readonly HistoryStep[] {
  const entries = readEntries(store);
  const entry = entryOf(findImage(store, entries, text, env));
  const content = readImageContent(store, entry);
  if (content === undefined) {
    throw new DevboxError("IMAGE_NOT_FOUND", { step: `find the image ${text}`, because: "it is not here" });
  }
  const { descriptor } = entry;
  const names = entries.flatMap((each) => (each.descriptor.digest === descriptor.digest ? (each.name ?? []) : []));
  const sizes = storedLayers(content.config.rootfs.diff_ids).map(({ chainId }) => layerBytes(store, chainId));
  const steps = stepsOf(content.config).map(
    (step): HistoryStep => ({
      ...step,
      id: undefined,
      names: [],
      sizeBytes: step.diffId === undefined ? 0 : (sizes.shift() ?? 0),
    }),
  );
  const last = steps.pop();
  return last === undefined ? [] : [{ ...last, id: content.manifest.config.digest, names }, ...steps.reverse()];
}

type Step = Pick<HistoryStep, "created" | "createdBy" | "comment" | "author" | "diffId">;

/** image-spec config.md: history is optional. One that does not fit the layers says nothing about them. */
function stepsOf({ history = [], rootfs, created }: ImageConfig): readonly Step[] {
  const diffIds = [...rootfs.diff_ids];
  const withLayer = history.filter((each) => each.empty_layer !== true).length;
  if (history.length === 0 || withLayer !== diffIds.length) {
    return diffIds.map((diffId) => describeStep({ ...(created === undefined ? {} : { created }) }, diffId));
  }
  return history.map((each) => describeStep(each, each.empty_layer === true ? undefined : diffIds.shift()));
}

function describeStep(history: ImageHistory, diffId: Digest | undefined): Step {
  const { created, author, created_by: createdBy = "", comment = "" } = history;
  return { created, createdBy, comment, author, diffId };
}
