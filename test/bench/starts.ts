/** How long it takes until a command runs. */
import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Laboratory } from "./laboratory.ts";
import { type Medians, measure, shell } from "./measure.ts";
import type { Row } from "./table.ts";

/** Bundles for crun, runc and bwrap, and busybox in everybody's storage. */
export async function prepareStarts(lab: Laboratory): Promise<void> {
  const image = lab.image("busybox");
  await shell(lab, `${lab.devbox} pull -q ${image}`);
  await shell(lab, `${lab.podman} pull -q --tls-verify=false ${image}`);
  await shell(lab, `unshare -r --map-auto umoci unpack --image ${lab.layouts}/busybox:latest bundle`);
  await shell(lab, "cd bundle && mv config.json umoci.json && runc spec --rootless");
  const script = `const f = "bundle/config.json"; const c = await Bun.file(f).json();
    c.process.terminal = false; c.process.args = ["true"]; c.root.readonly = false; await Bun.write(f, JSON.stringify(c));`;
  writeFileSync(join(lab.home, "edit.ts"), script);
  copyFileSync(process.execPath, join(lab.home, "bun"));
  await shell(lab, "./bun edit.ts");
  if (!existsSync(join(lab.home, "bundle/config.json"))) throw new Error("no bundle");
}

export async function benchStarts(lab: Laboratory): Promise<readonly Row[]> {
  const image = lab.image("busybox");
  const version = await measure(
    lab,
    [
      { name: "devbox", command: `${lab.devbox} --version` },
      { name: "empty", command: lab.emptyProgram },
    ],
    50,
    5,
  );
  const plain = await measure(lab, plainRuns(lab, image), 20, 3);
  const network = await measure(
    lab,
    [
      { name: "devbox", command: `${lab.devbox} run ${image} true` },
      { name: "podman", command: `${lab.podman} run --rm --network slirp4netns ${image} true` },
    ],
    20,
    3,
  );
  const bundleRow = (peer: string, budget?: number): Row =>
    row(`run, beside \`${peer}\` on a prepared bundle`, plain, peer, budget);
  return [
    row("`devbox --version`, beside an empty compiled program", version, "empty", 1.5),
    row("warm `run --network none IMG true`, beside podman", plain, "podman", 0.1),
    bundleRow("crun", 1),
    bundleRow("runc"),
    row("the same beside `bwrap`", plain, "bwrap"),
    row("warm `run IMG true` with slirp4netns, beside podman", network, "podman", 0.1),
    await manyAtOnce(lab, image),
  ];
}

function plainRuns(lab: Laboratory, image: string) {
  const root = "--bind bundle/rootfs / --proc /proc --dev /dev --unshare-all";
  return [
    { name: "devbox", command: `${lab.devbox} run --network none ${image} true` },
    { name: "podman", command: `${lab.podman} run --rm --network none ${image} true` },
    { name: "crun", command: `crun --root ${lab.home}/crun run -b bundle crun-bench` },
    { name: "runc", command: `runc --root ${lab.home}/runc run -b bundle runc-bench` },
    { name: "bwrap", command: `bwrap ${root} true` },
  ];
}

async function manyAtOnce(lab: Laboratory, image: string): Promise<Row> {
  const twenty = (command: string): string =>
    `sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ${command} & done; wait'`;
  const medians = await measure(
    lab,
    [
      { name: "devbox", command: twenty(`${lab.devbox} run --network none ${image} true`) },
      { name: "podman", command: twenty(`${lab.podman} run --rm --network none ${image} true`) },
    ],
    5,
  );
  return row("20 runs at once, beside podman", medians, "podman", 0.1);
}

/** One line of the table: devbox beside one peer. */
export function row(what: string, medians: Medians, peer: string, budget?: number): Row {
  return { what, unit: "ms", ours: medians["devbox"] ?? Number.NaN, peer, theirs: medians[peer] ?? Number.NaN, budget };
}
