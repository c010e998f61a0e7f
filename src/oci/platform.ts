/** Platforms: reading, normalising and choosing, by the rules of containerd's `platforms` package. */
import { DevboxError } from "../core/errors.ts";
import { type Descriptor, mediaTypes, type Platform } from "./descriptor.ts";
import type { Index } from "./image.ts";

const architectures: readonly string[] = [
  "386",
  "amd64",
  "arm",
  "arm64",
  "loong64",
  "mips64le",
  "ppc64le",
  "riscv64",
  "s390x",
];

/** The platform of this machine. */
export function hostPlatform(architecture: string = process.arch): Platform {
  return normalizePlatform({ os: "linux", architecture: architecture === "x64" ? "amd64" : architecture });
}

/** Read `--platform`: `linux/arm64/v8`, `linux/amd64`, `arm64`. @throws BAD_PLATFORM. */
export function parsePlatform(text: string): Platform {
  const fail = (because: string): never => {
    throw new DevboxError("BAD_PLATFORM", { step: `read platform ${JSON.stringify(text)}`, because });
  };
  const parts = text.toLowerCase().split("/");
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    return fail("not OS/ARCHITECTURE[/VARIANT]");
  const [first = "", second, variant] = parts;
  const [os, architecture] = second === undefined ? guess(first) : [first, second];
  if (os !== "linux") return fail(`devbox runs linux images, not ${os}`);
  const platform = normalizePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) });
  if (!architectures.includes(platform.architecture)) return fail(`unknown architecture "${architecture}"`);
  return platform;
}

/** One word alone is an operating system or an architecture. */
function guess(word: string): [os: string, architecture: string] {
  return word === "linux" ? ["linux", hostPlatform().architecture] : ["linux", word];
}

const architectureNames: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  i386: ["386"],
  i686: ["386"],
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

/** One spelling for each platform: `x86_64` is amd64, arm is arm/v7, and the variants amd64/v1 and arm64/v8 go without saying. */
export function normalizePlatform(platform: Platform): Platform {
  const named = platform.architecture.toLowerCase();
  const [architecture, impliedVariant] = (Object.hasOwn(architectureNames, named)
    ? architectureNames[named]
    : undefined) ?? [named];
  const variant = normalizeVariant(architecture, impliedVariant ?? platform.variant?.toLowerCase() ?? "");
  const { variant: _, ...rest } = platform;
  return { ...rest, os: platform.os.toLowerCase(), architecture, ...(variant === "" ? {} : { variant }) };
}

function normalizeVariant(architecture: string, variant: string): string {
  const lettered = /^[0-9]/.test(variant) ? `v${variant}` : variant;
  if (architecture === "arm") return lettered === "" ? "v7" : lettered;
  if (architecture === "arm64" && (lettered === "v8" || lettered === "v8.0")) return "";
  if (architecture === "amd64" && lettered === "v1") return "";
  if (architecture === "386") return "";
  return lettered;
}

/** `linux/arm64/v8`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return `${os}/${architecture}${variant === undefined || variant === "" ? "" : `/${variant}`}`;
}

/** What a machine of platform `wanted` can run, best first: its own variant, older ones, then the 32-bit kin. */
export function runnablePlatforms(wanted: Platform): Platform[] {
  const { os, architecture, variant } = normalizePlatform(wanted);
  const of = (arch: string, names: readonly string[]): Platform[] =>
    names.map((name) => normalizePlatform({ os, architecture: arch, ...(name === "" ? {} : { variant: name }) }));
  const down = (level: number, least: number): string[] =>
    Array.from({ length: Math.max(level - least + 1, 0) }, (_, i) => `v${level - i}`);
  const level = Number(/^v([0-9])/.exec(variant ?? "")?.[1] ?? 0);
  switch (architecture) {
    case "amd64":
      return [...of("amd64", down(Math.max(level, 1), 1)), ...of("386", [""])];
    case "arm":
      return of("arm", level === 0 ? [variant ?? ""] : down(level, Math.min(level, 5)));
    case "arm64":
      return [...of("arm64", variant === undefined ? [""] : [variant, ""]), ...of("arm", down(8, 5))];
    default:
      return of(architecture, [variant ?? ""]);
  }
}

const imageTypes: readonly string[] = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifestList,
];

/** Whether it is that of a manifest or index, as opposed to a blob's. */
export function isManifestType(mediaType: string): boolean {
  return imageTypes.includes(mediaType);
}

/**
 * The entry of an index for a platform; it may be an index again. Entries without a platform serve when no other does.
 * @throws NO_MATCHING_PLATFORM listing what there is.
 */
export function selectPlatform(index: Index, wanted: Platform, image = "the image"): Descriptor {
  const entries = index.manifests.filter(({ mediaType }) => isManifestType(mediaType));
  for (const candidate of runnablePlatforms(wanted).map(formatPlatform)) {
    const found = entries.find(
      ({ platform }) => platform !== undefined && formatPlatform(normalizePlatform(platform)) === candidate,
    );
    if (found !== undefined) return found;
  }
  const unlabelled = entries.find(({ platform }) => platform === undefined);
  if (unlabelled !== undefined) return unlabelled;
  throw new DevboxError("NO_MATCHING_PLATFORM", {
    step: `choose ${formatPlatform(wanted)} from ${image}`,
    because: `it is there for ${available(entries)}`,
  });
}

/** Attestations are listed as unknown/unknown; they are no choice. */
function available(entries: readonly Descriptor[]): string {
  const names = entries.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]));
  const shown = [...new Set(names)].filter((name) => !name.startsWith("unknown/"));
  return shown.length === 0 ? "no platform at all" : shown.join(", ");
}
