/**
 * Whether an image is for the platform that it is wanted for: a manifest that no index lists is taken whatever it is for.
 * Where an index says what it is for, that counts: configs are copied from other platforms without a change.
 */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { Platform } from "../../oci/descriptor.ts";
import { formatPlatform, normalizePlatform } from "../../oci/platform.ts";
import { familiarName } from "../../oci/reference.ts";
import { runsOn } from "../../store/images.ts";
import type { StoredImage } from "../../store/types.ts";

/** @throws DevboxError NO_MATCHING_PLATFORM naming what there is, as an index without the platform does */
export function requirePlatform(image: StoredImage, wanted: Platform): void {
  const is = platformOf(image);
  if (runsOn(is, wanted)) return;
  throw new DevboxError("NO_MATCHING_PLATFORM", {
    step: `choose ${formatPlatform(wanted)} from ${familiarName(image.reference)}`,
    because: `it is there for ${nameOf(is)} only`,
    hint: "take another tag, or leave --platform out",
  });
}

/** For who did not ask for a platform: an emulator may run it (binfmt_misc), so it is no failure. */
export function warnOfPlatform({ log }: Pick<Context, "log">, image: StoredImage, machine: Platform): void {
  const is = platformOf(image);
  if (runsOn(is, machine)) return;
  log.warn(`${familiarName(image.reference)} is made for ${nameOf(is)}; this machine is ${formatPlatform(machine)}`);
}

function platformOf({ manifestDescriptor, config }: StoredImage): Platform {
  return manifestDescriptor.platform ?? config;
}

function nameOf(platform: Platform): string {
  return formatPlatform(normalizePlatform(platform));
}
