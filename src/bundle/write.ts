/** The files of a bundle on disk: config.json, the generated files, and the directories of the root file system. */
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { readTextOrNothing } from "../core/read-text.ts";
import type { RuntimeConfig, RuntimeMount } from "../oci/runtime.ts";
import { formatRuntimeConfig } from "../oci/runtime-json.ts";
import { storeError } from "../store/atomic-write.ts";
import type { BundleInput } from "./bundle.ts";
import { hostsFile, resolvConf } from "./name-files.ts";
import { layerRoots } from "./rootfs.ts";
import type { RootfsPlan } from "./rootfs-plan.ts";

/** Name of each generated file: in the box's directory, and below /etc in the box, where it can be written to. */
const generatedFiles = ["hosts", "hostname", "resolv.conf"] as const;

export function generatedMounts(boxDirectory: string): RuntimeMount[] {
  return generatedFiles.map((name) => ({
    destination: `/etc/${name}`,
    type: "bind",
    source: `${boxDirectory}/${name}`,
    options: ["rbind", "rprivate"],
  }));
}

/** @throws STORE_FULL, STORE_UNUSABLE. */
export function writeBundle(input: BundleInput, config: RuntimeConfig, rootfs: RootfsPlan, hostname: string): void {
  const { directory } = input.box;
  try {
    makeRoot(input, rootfs);
    for (const [name, text] of Object.entries(generatedTexts(input, hostname))) {
      writeFileSync(`${directory}/${name}`, text);
      chmodSync(`${directory}/${name}`, 0o644); // whatever the umask: every user of the box reads them
    }
    // The environment may hold secrets.
    writeFileSync(input.box.config, formatRuntimeConfig(config), { mode: 0o600 });
  } catch (cause) {
    throw storeError(cause, `write the box in ${directory}`);
  }
}

function makeRoot(input: BundleInput, rootfs: RootfsPlan): void {
  const { directory } = input.box;
  if (input.source.kind === "directory") return;
  for (const name of rootfs.kind === "overlay" ? ["rootfs", "work", "upper"] : ["rootfs", "upper"]) {
    mkdirSync(`${directory}/${name}`, { mode: 0o700 });
  }
  // The root directory of an overlay is that of its upper layer: it takes the mode that the image gave it.
  const [top] = layerRoots(input);
  chmodSync(`${directory}/upper`, top === undefined ? 0o755 : statSync(top).mode & 0o7777);
}

function generatedTexts(
  { options, network }: BundleInput,
  hostname: string,
): Record<(typeof generatedFiles)[number], string> {
  const hostFile = options.network === "host" ? readTextOrNothing("/etc/hosts") : undefined;
  const nameservers = options.dns.length > 0 ? options.dns : network.nameservers;
  return {
    hosts: hostsFile({ hostFile, addHosts: options.addHosts, hostname, address: network.address }),
    hostname: `${hostname}\n`,
    "resolv.conf": resolvConf({
      hostFile: readTextOrNothing("/etc/resolv.conf"),
      nameservers,
      search: options.dnsSearch,
      options: options.dnsOptions,
    }),
  };
}
