/** How long a pull takes, beside podman and beside the floor: curl, igzip and tar, two layers at a time, nothing verified or kept. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Laboratory } from "./laboratory.ts";
import { measure, peakMemoryMb, shell } from "./measure.ts";
import { row } from "./starts.ts";
import type { Row } from "./table.ts";

const images = [
  { name: "debian", floorBudget: 1.3 },
  { name: "debian-zstd", floorBudget: 1.3 },
  { name: "forty-podman", floorBudget: undefined },
  { name: "many-files", floorBudget: 1.1 },
] as const;

export async function benchPulls(lab: Laboratory): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const { name, floorBudget } of images) {
    const image = lab.image(name);
    const medians = await measure(
      lab,
      [
        { name: "devbox", command: `${lab.devbox} pull -q ${image}`, prepare: `${lab.devbox} prune --all; sync` },
        {
          name: "podman",
          command: `${lab.podman} pull -q --tls-verify=false ${image}`,
          prepare: `${lab.podman} rmi -af; sync`,
        },
        { name: "floor", command: floor(lab, name), prepare: "unshare -r --map-auto rm -rf floor; mkdir floor; sync" },
      ],
      3,
      0,
    );
    rows.push(row(`cold pull of ${name}, beside podman`, medians, "podman", 1 / 3));
    rows.push(row(`cold pull of ${name}, beside curl, igzip, tar`, medians, "floor", floorBudget));
  }
  return [...rows, await upToDate(lab), await memory(lab)];
}

/** Unpacks every layer into a directory of its own, as root of the default map. */
function floor(lab: Laboratory, name: string): string {
  const blob = (digest: string) =>
    JSON.parse(readFileSync(join(lab.layouts, name, "blobs/sha256", digest.slice(7)), "utf8"));
  const index = JSON.parse(readFileSync(join(lab.layouts, name, "index.json"), "utf8"));
  const { layers } = blob(index.manifests[0].digest) as { layers: readonly { digest: string; mediaType: string }[] };
  const [registry] = lab.image(name).split("/");
  const inflate = layers[0]?.mediaType.endsWith("zstd") ? "zstd -dc" : "igzip -dc";
  // tar complains of devices, and of hard links to files of other layers: this is no comparison of results.
  const one = `mkdir floor/$1 && curl -s http://${registry}/v2/${name}/blobs/$1 | ${inflate} | tar -x --xattrs --numeric-owner -C floor/$1 2>&1 || true`;
  writeFileSync(join(lab.home, `floor-${name}.sh`), one);
  writeFileSync(join(lab.home, `digests-${name}`), layers.map(({ digest }) => `${digest}\n`).join(""));
  return `unshare -r --map-auto xargs -a digests-${name} -P 2 -n 1 sh floor-${name}.sh`;
}

async function upToDate(lab: Laboratory): Promise<Row> {
  const image = lab.image("forty-podman");
  await shell(lab, `${lab.devbox} pull -q ${image}; ${lab.podman} pull -q --tls-verify=false ${image}`);
  const medians = await measure(
    lab,
    [
      { name: "devbox", command: `${lab.devbox} pull -q ${image}` },
      { name: "podman", command: `${lab.podman} pull -q --tls-verify=false ${image}` },
    ],
    10,
  );
  return row("pull of an image that is up to date, beside podman", medians, "podman", 1 / 3);
}

/** The largest image of ours: what it needs must not depend on the image. */
async function memory(lab: Laboratory): Promise<Row> {
  await shell(lab, `${lab.devbox} prune --all; ${lab.podman} rmi -af`);
  const image = lab.image("debian");
  const ours = await peakMemoryMb(lab, `${lab.devbox} pull -q ${image}`);
  const theirs = await peakMemoryMb(lab, `${lab.podman} pull -q --tls-verify=false ${image}`);
  return {
    what: "memory while pulling debian, all processes, beside podman",
    unit: "MB",
    ours,
    peer: "podman",
    theirs,
    limit: 150,
  };
}
