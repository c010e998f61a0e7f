/** kill -9 at any moment, several processes at once, full and read-only disks: nothing that was there is lost, nothing needs repair. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { boxesOnDisk } from "../helpers/box.ts";
import { openHome } from "../helpers/devbox.ts";
import { imageName, smallFileSystem } from "../helpers/given.ts";
import { killAfter, measure } from "../helpers/killed.ts";
import { randomNumbers } from "../helpers/random.ts";

const kills = 20;
const random = randomNumbers();

describe(`kill -9 (DEVBOX_TEST_SEED=${random.seed})`, () => {
  test(`at ${kills} moments of a pull, then it succeeds`, async () => {
    await using home = openHome();
    const image = imageName("forty-layers");
    const wholeMs = await measure(() => home.ok(["pull", "-q", image]));
    await home.ok(["prune", "--all"]);
    for (let kill = 0; kill < kills; kill++) {
      await killAfter(home, ["pull", "-q", image], random.next() * wholeMs);
      // Every other one starts anew, so that early moments of a pull are met as often as late ones.
      if (kill % 2 === 1) await home.ok(["prune", "--all"]);
    }
    await home.ok(["pull", "-q", image]);
    await home.ok(["pull", "-q", imageName("busybox")]);
    expect(await home.ok(["run", "--network=none", imageName("busybox"), "echo", "fine"])).toBe("fine\n");
    await home.ok(["prune", "--all"]);
    expect(readdirSync(join(home.store, "store/layers"))).toEqual([]);
  }, 300_000);

  test(`at ${kills} moments of a run, then it succeeds and nothing is left`, async () => {
    await using home = openHome();
    const image = imageName("busybox");
    await home.ok(["pull", "-q", image]);
    const run = ["run", image, "sh", "-c", "echo x > /file"];
    const wholeMs = await measure(() => home.ok(run));
    for (let kill = 0; kill < kills; kill++) await killAfter(home, run, random.next() * wholeMs);
    expect(await home.ok(["run", image, "cat", "/etc/os-release"])).toContain("ID=busybox");
    expect(boxesOnDisk(home)).toEqual([]);
  });
});

describe("at once", () => {
  test("two pulls of one image, one of another, and a prune", async () => {
    await using home = openHome();
    const images = [imageName("forty-layers"), imageName("busybox")];
    for (let round = 0; round < 3; round++) {
      const both = images.flatMap((image) => [image, image]);
      const results = await Promise.all([
        ...both.map((image) => home.run(["pull", "-q", image])),
        home.run(["prune"]),
        home.run(["prune"]),
      ]);
      // Who has to wait may say so.
      const said = results.map(
        ({ exitCode, stderr }) => `${exitCode} ${stderr.replace("waiting for another devbox\n", "")}`,
      );
      expect(said).toEqual(results.map(() => "0 "));
      expect(await home.ok(["run", "--network=none", "--pull=never", imageName("busybox"), "echo", "up"])).toBe("up\n");
      await home.ok(["prune", "--all"]);
    }
  });

  test("twenty runs", async () => {
    await using home = openHome();
    const image = imageName("busybox");
    await home.ok(["pull", "-q", image]);
    const runs = Array.from({ length: 20 }, (_, index) => home.ok(["run", image, "echo", String(index)]));
    expect(await Promise.all(runs)).toEqual(runs.map((_, index) => `${index}\n`));
    expect(boxesOnDisk(home)).toEqual([]);
  });
});

describe("disks", () => {
  const small = smallFileSystem();

  test.skipIf(small === undefined)(
    "a full one is said, keeps what was there, and is free again after prune",
    async () => {
      await using home = openHome();
      const env = { DEVBOX_STORE: join(small ?? "", "store") };
      await home.ok(["pull", "-q", imageName("busybox")], { env });
      const { exitCode, stderr } = await home.run(["pull", "-q", imageName("debian")], { env });
      expect(exitCode).toBe(125);
      expect(stderr).toContain("no space left on device (ENOSPC)");
      expect(stderr).toMatch(/^hint: .*prune/m);
      await home.ok(["prune"], { env });
      expect(await home.ok(["run", "--network=none", imageName("busybox"), "echo", "kept"], { env })).toBe("kept\n");
      await home.ok(["pull", "-q", imageName("forty-layers")], { env });
      await home.ok(["prune", "--all"], { env });
    },
  );

  // Modes do not bind root.
  test.skipIf(process.getuid?.() === 0)("a store that cannot be written is an error that names it", async () => {
    await using home = openHome();
    const store = join(home.directory, "closed");
    mkdirSync(store);
    chmodSync(store, 0o555);
    for (const command of [["pull", imageName("busybox")], ["run", imageName("busybox"), "true"], ["images"]]) {
      const { exitCode, stderr } = await home.run(command, { env: { DEVBOX_STORE: join(store, "store") } });
      if (command[0] === "images" && exitCode === 0) continue; // nothing to list is no error
      expect(stderr).toContain(store);
      expect(stderr).toMatch(/^hint: .*DEVBOX_STORE/m);
      expect(exitCode).toBe(125);
    }
    chmodSync(store, 0o755);
  });
});
