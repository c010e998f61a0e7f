/**
 * Where a name really is: its mirrors and its location, as registries.conf has them (containers-registries.conf(5),
 * "Remapping and mirroring registries"). The name stays what the image is called; a place is what is asked.
 */
import { DevboxError } from "../../core/errors.ts";
import { formatReference, parseReference, type RegistryReference } from "../../oci/reference.ts";
import type { MirrorEntry, RegistryEntry } from "./registries-conf.ts";
import type { RegistriesConf } from "./registries-conf-files.ts";

export interface Place {
  readonly registry: string;
  readonly repository: string;
  /** Plain http and any certificate are accepted there. */
  readonly insecure: boolean;
  readonly isMirror: boolean;
}

type Conf = Pick<RegistriesConf, "registries">;

/**
 * Where to pull from, in the order in which to try: the mirrors, then the location. A mirror for digests only is not asked
 * for a tag, whose meaning it may not know yet, and the reverse.
 * @throws DevboxError REGISTRY_REFUSED where the name is blocked; BAD_CONFIG where what a location makes of it is no name
 */
export function pullPlaces(reference: RegistryReference, conf: Conf): readonly [Place, ...Place[]] {
  const entry = allowedEntry(reference, conf);
  if (entry === undefined) return [asNamed(reference, false)];
  const unwanted = reference.digest === undefined ? "digest-only" : "tag-only";
  const endpoints = [...entry.mirrors.filter(({ use }) => use !== unwanted), entry];
  const [first, ...others] = endpoints.map((endpoint) => placeAt(reference, entry, endpoint));
  return [first ?? asNamed(reference, entry.insecure), ...others];
}

/**
 * Where to push to: the name itself. "Redirection and mirrors are currently processed only when reading images": a
 * location may be a cache that takes nothing. @throws DevboxError REGISTRY_REFUSED where the name is blocked
 */
export function pushPlace(reference: RegistryReference, conf: Conf): Place {
  return asNamed(reference, allowedEntry(reference, conf)?.insecure ?? false);
}

/** Whether plain http and any certificate are accepted of a registry, `host[:port]`. */
export function isInsecureRegistry(registry: string, conf: Conf): boolean {
  return findEntry(registry, conf)?.insecure ?? false;
}

function asNamed({ registry, repository }: RegistryReference, insecure: boolean): Place {
  return { registry, repository, insecure, isMirror: false };
}

function allowedEntry(reference: RegistryReference, conf: Conf): RegistryEntry | undefined {
  const name = formatReference(reference);
  const entry = findEntry(name, conf);
  if (entry?.blocked !== true) return entry;
  throw new DevboxError("REGISTRY_REFUSED", {
    step: `use ${name}`,
    because: `registries.conf blocks ${entry.prefix}`,
    hint: "who wrote blocked = true there knows why; use another image, or take it out",
  });
}

/** Of the entries that fit, the one that says most. */
function findEntry(name: string, { registries }: Conf): RegistryEntry | undefined {
  const fitting = registries.filter(({ prefix }) => matchedLength(name, prefix) !== undefined);
  return fitting.reduce<RegistryEntry | undefined>(
    (best, entry) => (best === undefined || entry.prefix.length > best.prefix.length ? entry : best),
    undefined,
  );
}

/**
 * How much of a name the prefix stands for; undefined: it is another's. `example.com` is not `example.com:5000`, which
 * podman takes for the same by mistake, and says not to rely on.
 */
function matchedLength(name: string, prefix: string): number | undefined {
  if (prefix.startsWith("*.")) {
    const host = /^[^/]*/.exec(name)?.[0] ?? "";
    const domain = host.replace(/:\d+$/, "");
    return domain.endsWith(prefix.slice(1)) ? domain.length : undefined;
  }
  if (!name.startsWith(prefix)) return undefined;
  const next = name.slice(prefix.length, prefix.length + 1);
  const ends = prefix.includes("/") ? ["", "/", ":", "@"] : ["", "/"];
  return ends.includes(next) ? prefix.length : undefined;
}

function placeAt(reference: RegistryReference, entry: RegistryEntry, endpoint: RegistryEntry | MirrorEntry): Place {
  const { location, insecure } = endpoint;
  const isMirror = endpoint !== entry;
  if (location === undefined) return { ...asNamed(reference, insecure), isMirror };
  const name = formatReference(reference);
  const moved = location + name.slice(matchedLength(name, entry.prefix) ?? name.length);
  const parsed = parseMoved(moved, location);
  return { registry: parsed.registry, repository: parsed.repository, insecure, isMirror };
}

function parseMoved(moved: string, location: string): RegistryReference {
  const step = `find the location ${moved}`;
  try {
    const reference = parseReference(moved);
    // Without a dot or port the first part is no registry, and the whole would be a name at docker.io.
    if (reference.kind === "registry" && moved.startsWith(`${reference.registry}/`)) return reference;
  } catch (cause) {
    throw new DevboxError("BAD_CONFIG", { step, cause, hint: `mend location = "${location}" in registries.conf` });
  }
  const because = `${location} of registries.conf names no registry`;
  throw new DevboxError("BAD_CONFIG", {
    step,
    because,
    hint: "a location looks like HOST:PORT or HOST.DOMAIN/NAMESPACE",
  });
}
