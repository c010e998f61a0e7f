/** A monitor that was left alone: by the process that started it, and by its terminal. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../helpers/monitored.ts";

const program = new URL("../../fixtures/launch/leave-monitored.ts", import.meta.url).pathname;

test("lives on when who started it has ended and its terminal is hung up, and does its work to the end", async () => {
  const directory = mkdtempSync(join(tmpdir(), "devbox-left-"));
  mkdirSync(join(directory, "log"));
  expect(Bun.spawnSync(["mkfifo", join(directory, "go")]).exitCode).toBe(0);
  let shown = "";
  const child = Bun.spawn([process.execPath, program, directory], {
    terminal: {
      data: (_, data) => {
        shown += new TextDecoder().decode(data);
      },
    },
  });
  expect(await child.exited).toBe(0);
  await until("its pids", () => /pids \d+ \d+ end/.test(shown));
  const [monitor, pid] = (shown.match(/\d+/g) ?? []).map(Number);
  // The master of the terminal is closed, and whoever still belongs to its session gets SIGHUP (setsid(2)).
  child.terminal?.close();
  const log = (): string =>
    existsSync(join(directory, "log/log")) ? readFileSync(join(directory, "log/log"), "latin1") : "";
  expect(log()).toContain("begun\n");
  // Session, and terminal: 0 is none (proc(5), stat).
  const stat = readFileSync(`/proc/${monitor}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  expect([stat[3], stat[4]]).toEqual([String(monitor), "0"]);
  expect(readFileSync(`/proc/${pid}/stat`, "utf8")).toContain(` ${monitor} `);
  expect(Bun.spawnSync(["sh", "-c", `echo word >${join(directory, "go")}`]).exitCode).toBe(0);
  await until("what comes after", () => existsSync(join(directory, "next")));
  expect(log()).toContain("word\n");
  expect(readFileSync(join(directory, "ended")).readInt32LE(0)).toBe(9 << 8);
  rmSync(directory, { recursive: true });
});
