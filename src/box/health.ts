/** `devbox __health ID`: one check of the health of a box, started by its monitor again and again. */
import { closeSync, fstatSync, readSync } from "node:fs";
import { SIGKILL } from "../../ffi/constants.ts";
import { memfdCreate } from "../../ffi/libc.ts";
import type { Context } from "../core/context.ts";
import { describeCause } from "../core/errors.ts";
import { readHostFacts } from "../host/read-facts.ts";
import { sendSignal } from "../runtime/signal.ts";
import { readBoxRecord } from "../store/box-record.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import { openStore } from "../store/open.ts";
import { boxPaths } from "../store/paths.ts";
import type { BoxRecord } from "../store/types.ts";
import { type RunningBox, startInBox } from "./exec.ts";
import { afterCheck, type CheckResult } from "./health-check.ts";
import { readHealth, writeHealth } from "./health-file.ts";
import { type HealthCheck, readSettings } from "./settings.ts";

export async function checkHealth(context: Context, id: string): Promise<void> {
  const store = openStore(context.env);
  const paths = boxPaths(store, id);
  const record = readBoxRecord(paths);
  const check = readSettings(paths)?.health;
  // A paused one would not answer, which says nothing of it.
  if (record?.status !== "running" || record.startedAt === undefined || check === undefined) return;
  const result = await runCheck({ store, paths, record, facts: readHostFacts(context.env) }, check);
  if (!isStillUp(readBoxRecord(paths), record)) return;
  const before = readHealth(paths);
  const health = afterCheck(before, result, check, record.startedAt);
  writeHealth(paths, health);
  if (health.status !== before.status) recordEvent(store, boxEvent("health_status", record, { status: health.status }));
}

/** A check that the end of the box has ended says nothing. */
function isStillUp(now: BoxRecord | undefined, then: BoxRecord): boolean {
  return now?.status === "running" && now.startedAt === then.startedAt;
}

async function runCheck(box: RunningBox, { args, timeoutMs }: HealthCheck): Promise<CheckResult> {
  const start = new Date().toISOString();
  const finish = (exitCode: number, output: string): CheckResult => ({
    start,
    end: new Date().toISOString(),
    exitCode,
    output,
  });
  // A file, and not a pipe: who waits for a pipe's end waits for every daemon that the check leaves behind.
  const file = memfdCreate("health-output");
  let timer: Timer | undefined;
  try {
    const { pid, launched } = await startInBox(box, request(args), ["ignore", file, file]);
    let isLate = false;
    timer = setTimeout(() => {
      isLate = true;
      sendSignal(pid, SIGKILL);
    }, timeoutMs);
    const status = await launched.wait();
    return isLate ? finish(-1, `Health check exceeded timeout (${timeoutMs / 1000}s)`) : finish(status, readHead(file));
  } catch (error) {
    return finish(-1, describeCause(error));
  } finally {
    clearTimeout(timer);
    closeSync(file);
  }
}

function request(command: readonly string[]) {
  const asTheBox = { env: [], user: undefined, workdir: undefined, privileged: false };
  return { command, ...asTheBox, interactive: false, tty: false, detach: false };
}

const maxOutputBytes = 4096;

function readHead(file: number): string {
  const bytes = new Uint8Array(Math.min(fstatSync(file).size, maxOutputBytes));
  return new TextDecoder().decode(bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0)));
}
