/** How long it takes to find out what a box has changed, and to make an image of it. */
import type { Laboratory } from "./laboratory.ts";
import { measure, shell } from "./measure.ts";
import { row } from "./starts.ts";
import type { Row } from "./table.ts";

const boxes = [
  { name: "thousand", directories: 10, files: 100, runs: 10 },
  { name: "many", directories: 100, files: 1000, runs: 3 },
] as const;

/** On the busybox image of `prepareStarts`. */
export async function benchCommits(lab: Laboratory): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const { name, directories, files, runs } of boxes) {
    const script =
      `for d in $(seq ${directories}); do mkdir -p /new/$d; ` +
      `for f in $(seq ${files}); do echo $d $f > /new/$d/$f; done; done`;
    for (const engine of [lab.devbox, lab.podman])
      await shell(lab, `${engine} run --name ${name} --network none ${lab.image("busybox")} sh -c '${script}'`);
    const count = (directories * files).toLocaleString("en");
    const cold = (engine: string): string => `${engine} rmi -f ${name}:1 >/dev/null 2>&1; sync`;
    const commits = await measure(
      lab,
      [
        { name: "devbox", command: `${lab.devbox} commit -q ${name} ${name}:1`, prepare: cold(lab.devbox) },
        { name: "podman", command: `${lab.podman} commit -q ${name} ${name}:1`, prepare: cold(lab.podman) },
      ],
      runs,
    );
    const diffs = await measure(
      lab,
      [
        { name: "devbox", command: `${lab.devbox} diff ${name}` },
        { name: "podman", command: `${lab.podman} diff ${name}` },
      ],
      runs,
    );
    rows.push(row(`\`commit\` of ${count} new files, beside podman`, commits, "podman", 1 / 3));
    rows.push(row(`\`diff\` of them, beside podman`, diffs, "podman"));
  }
  return rows;
}
