/** Devices that a box is given, also where it has a control group of its own. */
import { expect, test } from "bun:test";
import { accessSync, constants } from "node:fs";
import { boxHome } from "../helpers/box.ts";

const { home, image } = boxHome();

function isOpen(device: string): boolean {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

test.skipIf(!isOpen("/dev/net/tun"))("--device: a detached box can use it", async () => {
  const script = "exec 3<>/dev/net/tun && echo opened";
  const id = (
    await home.ok(["run", "-d", "--network", "none", "--device", "/dev/net/tun", image, "sh", "-c", script])
  ).trim();
  expect(await home.ok(["wait", id])).toBe("0\n");
  expect(await home.ok(["logs", id])).toBe("opened\n");
  await home.ok(["rm", id]);
});
