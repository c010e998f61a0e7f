/**
 * Who may import whom: the table of ARCHITECTURE.md as data. Folders stand in the order of the data's way;
 * `a` allows any import from folder or file a, `types:a` only `import type`.
 */

const below = {
  image: ["registry", "store", "layer", "launch", "host", "oci", "core", "ffi"],
  box: ["image", "bundle", "runtime", "sandbox", "cgroup", "network", "store", "launch", "host", "oci", "core", "ffi"],
} as const;

/** Plans are data: the types and constants they are written in, not the calls. */
const planWords = ["ffi/launcher/wire.ts", "ffi/launcher/format.ts", "ffi/constants.ts", "ffi/syscalls.ts", "ffi/errno.ts", "ffi/structs.ts"];

export const directions: Readonly<Record<string, readonly string[]>> = {
  ffi: [],
  core: ["ffi/errno.ts"],
  oci: ["core"],
  host: ["core", "oci", "launch", "ffi"],
  launch: ["types:host", "types:oci", "core", "ffi"],
  layer: ["core", "oci", "ffi"],
  store: ["types:layer", "host/process-identity.ts", "core", "oci", "ffi"],
  registry: ["core", "oci"],
  image: below.image,
  bundle: ["store", "types:layer", "oci", "host", "core", "ffi"],
  sandbox: ["types:bundle", "launch/plan.ts", "launch/userns.ts", "launch/init.ts", "launch/program.ts", "launch/monitor.ts", "types:host", "oci", "core", ...planWords],
  cgroup: ["oci", "host", "core", "ffi"],
  runtime: ["sandbox", "cgroup", "types:bundle", "launch", "oci", "host", "core", "ffi"],
  network: ["oci", "host", "core", "ffi"],
  box: below.box,
  doctor: ["network", "store", "launch", "host", "oci", "core", "ffi"],
  cli: ["box", "doctor", "image", "bundle", "runtime", "sandbox", "cgroup", "network", "store", "registry", "launch/explain.ts", "host", "oci", "core"],
  "main.ts": ["cli", "layer", "network", "runtime", "core"],
};

/**
 * Packages that cost milliseconds at start or must stay replaceable: each is known to one folder or file only.
 * A package that is not named here may not be imported from src or ffi at all.
 */
export const packages: Readonly<Record<string, readonly string[]>> = {
  "undici-http": ["registry"],
  tar: ["layer"],
  fflate: ["doctor"],
  citty: ["cli"],
  consola: ["cli"],
};

/** How many files may import a package at run time (types are free): "one file each". */
export const filesPerPackage = 1;

/** Of these packages, which any number of files of their folder may import. */
export const spreadPackages: ReadonlySet<string> = new Set(["citty"]);

/** Files longer than the limit on purpose: tables, which are read by looking up and not from top to bottom. */
export const longTables: ReadonlySet<string> = new Set([
  "ffi/errno.ts",
  "ffi/syscalls.ts",
  "ffi/constants.ts",
]);
