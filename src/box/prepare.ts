/** What a new box is made of: its directory and network first, then, while its namespaces come into being, its bundle. */
import { writeFileSync } from "node:fs";
import type { BundleSource } from "../bundle/bundle.ts";
import { createBundle } from "../bundle/create.ts";
import { boxNamespaces } from "../bundle/namespaces.ts";
import type { RunOptions } from "../bundle/options.ts";
import type { RootfsPlan } from "../bundle/rootfs-plan.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { os } from "../core/os.ts";
import type { HostFacts } from "../host/facts.ts";
import { defaultIdMap } from "../host/id-map.ts";
import { readHostFacts } from "../host/read-facts.ts";
import type { IdMap, Seccomp } from "../oci/runtime.ts";
import type { BeginInput } from "../runtime/begin.ts";
import { capabilitySets, grantedCapabilities } from "../sandbox/capabilities.ts";
import type { SandboxInput } from "../sandbox/input.ts";
import { defaultSeccomp, type SeccompEnvironment } from "../sandbox/seccomp-profile.ts";
import { type CreatedBox, createBox, removeBox, sweepBoxes } from "../store/boxes.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/types.ts";
import { chooseHealthCheck } from "./health-check.ts";
import { type BoxNetwork, planNetwork } from "./network.ts";
import type { RunRequest } from "./request.ts";
import { type BoxSettings, writeSettings } from "./settings.ts";

export interface Surroundings {
  readonly store: Store;
  readonly facts: HostFacts;
}

/** The store, with the boxes gone whose devbox was killed, and what the host has. */
export function openSurroundings(context: Context): Surroundings {
  const store = openStore(context.env);
  for (const id of sweepBoxes(store)) context.log.debug("cleaned up after a box whose devbox was killed", { id });
  return { store, facts: readHostFacts(context.env) };
}

/** A box on disk, without its bundle. */
export interface NewBox {
  readonly source: BundleSource;
  readonly created: CreatedBox;
  readonly network: BoxNetwork;
  readonly idMap: IdMap;
}

/** @throws DevboxError of what is wrong with the request; the box is gone again then. */
export async function makeBox(
  context: Context,
  { store, facts }: Surroundings,
  source: BundleSource,
  request: RunRequest,
): Promise<NewBox> {
  const { options } = request;
  const idMap = defaultIdMap(facts);
  const volumes = options.mounts.flatMap((mount) => (mount.kind === "volume" ? [mount.name] : []));
  const created = await createBox(context, store, {
    name: options.name,
    image: request.reference,
    ...(source.kind === "image" ? { manifestDigest: source.image.manifestDescriptor.digest } : {}),
    chainIds: source.kind === "image" ? source.image.layers.map(({ chainId }) => chainId) : [],
    created: context.now().toISOString(),
    command: options.command,
    labels: options.labels,
    ephemeral: !options.keep,
    ...(volumes.length === 0 ? {} : { volumes }),
  });
  try {
    if (request.cidFile !== undefined) writeCidFile(request.cidFile, created.paths.id);
    if (volumes.length > 0) {
      const { prepareVolumes } = await import("./volumes.ts");
      const work = { store, facts, idMap, source, boxDirectory: created.paths.directory };
      await prepareVolumes(context, work, options.mounts);
    }
    return { source, created, network: await planNetwork(context, options, facts, created.paths), idMap };
  } catch (error) {
    removeBox(store, created.paths, created.record.name, created.lock);
    throw error;
  }
}

/** Two boxes must not be taken for one another: a file that is there stays as it is (docker). */
function writeCidFile(path: string, id: string): void {
  try {
    writeFileSync(path, id, { flag: "wx" });
  } catch (cause) {
    const hint = "name a file that is not there, in a directory that you may write to";
    throw new DevboxError("USAGE", { step: `write --cidfile ${path}`, cause, hint });
  }
}

/** How it begins. */
export function beginInput(
  { facts }: Surroundings,
  { created, network, idMap }: NewBox,
  { options }: RunRequest,
): BeginInput {
  return {
    namespaces: boxNamespaces(options.network),
    idMap,
    facts,
    held: { lock: created.lock.fd, ...network.held },
    stdin: options.interactive ? "inherit" : "ignore",
    terminal: options.tty,
    hooks: network.contribution.hooks.createRuntime !== undefined,
  };
}

/** What a bundle is made of. */
export type Bundled = Omit<NewBox, "created"> & { readonly created: Pick<CreatedBox, "paths"> };

/** Writes the bundle: what the sandbox is told. @throws DevboxError of what is wrong with the request */
export async function prepareBundle(
  { store, facts }: Surroundings,
  { source, created, network, idMap }: Bundled,
  request: RunRequest,
): Promise<SandboxOfBox> {
  const { options } = request;
  const { paths } = created;
  const bundle = createBundle({
    source,
    options,
    facts,
    idMap,
    storeRoot: store.root,
    box: paths,
    network: network.contribution,
    ...(await security(request, facts)),
  });
  // What is started again, or watched by nobody who knows. Whoever starts it in the background writes them himself.
  if (options.keep && !request.detach) writeSettings(paths, settingsOf(source, options, bundle.rootfs));
  return {
    config: bundle.config,
    rootfs: bundle.rootfs,
    storeRoot: store.root,
    mountpoint: bundle.rootfs.kind === "directory" ? bundle.rootfs.path : `${paths.directory}/rootfs`,
    facts,
    idMap,
    sourceKinds: bundle.sourceKinds,
    init: options.init,
  };
}

/** What is to be remembered of a new box. */
export function settingsOf(source: BundleSource, options: RunOptions, rootfs: RootfsPlan): BoxSettings {
  const image = (source.kind === "image" ? source.image.config : source.config)?.config;
  const stopSignal = options.stopSignal ?? image?.StopSignal;
  const health = chooseHealthCheck(options.health, image?.Healthcheck);
  return {
    version: 1,
    options,
    ...(source.kind === "image" ? { imageId: source.image.manifest.config.digest } : {}),
    rootfs,
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(health === undefined ? {} : { health }),
  };
}

export type SandboxOfBox = Omit<SandboxInput, "gates" | "pipes">;

async function security({ options }: RunRequest, { architecture }: HostFacts) {
  const { capAdd, capDrop, privileged } = options;
  const capabilities = grantedCapabilities({ add: capAdd, drop: capDrop, privileged });
  return {
    capabilitySets: (uid: number) => capabilitySets(capabilities, uid),
    seccomp: await chooseSeccomp(options, { capabilities, architecture }),
  };
}

/** docker's rule: a privileged box is unconfined unless it asks for a profile of its own. */
async function chooseSeccomp(
  { security: { seccomp }, privileged }: RunRequest["options"],
  environment: SeccompEnvironment,
): Promise<Seccomp | undefined> {
  if (seccomp === "unconfined" || (privileged && seccomp === "default")) return undefined;
  if (seccomp === "default") return defaultSeccomp(environment);
  const { parseSeccompProfile } = await import("../sandbox/seccomp-parse.ts");
  return parseSeccompProfile(seccomp.profile, { ...environment, kernel: os().release() });
}
