/**
 * Names without a registry: `fedora` is what the aliases and search registries of registries.conf make of it
 * (containers-registries.conf(5), "Short-Name Aliasing"), and of docker.io where they say nothing.
 */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { formatReference, parseReference, type Reference } from "../../oci/reference.ts";
import { readRegistriesConf } from "../../registry/configuration/registries-conf-files.ts";
import { absolute, isShortName } from "./absolute.ts";

/** What a text may mean. */
export interface Meanings {
  /** Never empty; several only where search registries leave a choice. */
  readonly references: readonly [Reference, ...Reference[]];
  /** docker.io may not be taken where it is one of several (short-name-mode "enforcing"). */
  readonly enforcing: boolean;
}

/**
 * Whatever has a registry, or is a file, means itself: nothing is read for it.
 * @throws DevboxError BAD_REFERENCE, BAD_CONFIG
 */
export function meaningsOf(text: string, env: Context["env"]): Meanings {
  const plain = parseReference(text);
  if (!isShortName(text, plain)) return { references: [plain], enforcing: false };
  const conf = readRegistriesConf(env);
  const name = text.replace(/[:@].*$/s, "");
  const alias = conf.aliases.get(name);
  const enforcing = conf.shortNameMode === "enforcing";
  if (alias !== undefined) return { references: [parseReference(alias + text.slice(name.length))], enforcing };
  const [first, ...others] = conf.searchRegistries.map((registry) => parseReference(`${registry}/${text}`));
  return { references: first === undefined ? [plain] : [first, ...others], enforcing };
}

/**
 * The one reference that a text means. Of several docker.io, as without any configuration; podman would ask, or try one
 * after the other, so that an image's origin is a matter of which registry answers.
 * @throws DevboxError BAD_REFERENCE naming the choices
 */
export function expandShortName(text: string, env: Context["env"]): Reference {
  const { references, enforcing } = meaningsOf(text, env);
  const [first, ...others] = references;
  if (others.length === 0) return first;
  const hub = references.find((one) => one.kind === "registry" && one.registry === "docker.io");
  if (hub !== undefined && !enforcing) return hub;
  throw new DevboxError("BAD_REFERENCE", {
    step: `read image reference ${JSON.stringify(text)}`,
    because: `it may be any of ${references.map(formatReference).join(", ")}`,
    hint: "write one of them, or an alias: [aliases] in registries.conf",
  });
}

/** As typed, of what cannot be an image id. @throws DevboxError BAD_REFERENCE; BAD_CONFIG of registries.conf */
export function readName(text: string, env: Context["env"]): Reference {
  return absolute(expandShortName(text, env));
}
