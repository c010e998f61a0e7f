/** OCI "start" (runtime-spec runtime.md "Lifecycle" steps 6 to 9). */
import { unlinkSync } from "node:fs";
import { DevboxError } from "../core/errors.ts";
import type { FailedReport } from "../launch/failure.ts";
import { openReports } from "../launch/reports.ts";
import { containerStatus, findContainer, type KnownContainer, noContainer, stateOf } from "./container.ts";
import { destroyContainer } from "./end.ts";
import { letStart, openExecuted } from "./fifos.ts";
import { runHookProgram, runHooks } from "./hooks.ts";
import { restError } from "./rest-of-plan.ts";
import { containerPaths, lockContainer } from "./state-directory.ts";
import { checkTransition } from "./status.ts";

export interface StartRequest {
  readonly root: string;
  readonly id: string;
  readonly warn: (warning: string) => void;
}

/** Returns when the command is executed and the poststart hooks have run. @throws DevboxError of what failed of it */
export async function startContainer({ root, id, warn }: StartRequest): Promise<void> {
  using lock = lockContainer(containerPaths(root, id));
  if (lock === undefined) throw noContainer(id);
  const container = findContainer(root, id);
  const { paths, record } = container;
  checkTransition("start", id, containerStatus(container));
  if (record.config.process === undefined) {
    const because = "its config.json has no process";
    throw new DevboxError("CONTAINER_STATE", { step: `start container ${id}`, because });
  }
  const failure = await letRun(container);
  // From here on it is not to be started again.
  unlinkSync(paths.start);
  if (failure !== undefined) await fail(container, failure, warn);
  try {
    await runHooks("poststart", record.config.hooks?.poststart ?? [], stateOf(record, "running"), runHookProgram);
  } catch (error) {
    // runtime.md "Lifecycle" step 9 (since 1.2.1; 1.2.0 only warned): stop the container, and go on at step 12.
    await destroyAfter(error, container, warn);
  }
}

/** What the init process reports until it has executed the command; undefined: it has. */
async function letRun({ paths, record }: KnownContainer): Promise<FailedReport | undefined> {
  const reports = openReports(openExecuted(paths));
  try {
    if (!letStart(paths)) throw notWaiting(record.id);
    for (;;) {
      const report = await reports.next();
      if (report === undefined || report.kind === "failed") return report;
    }
  } finally {
    reports.close();
  }
}

function notWaiting(id: string): DevboxError {
  return new DevboxError("CONTAINER_STATE", { step: `start container ${id}`, because: "its init process has ended" });
}

/** A hook of the inside that fails ends the container (step 7); one whose command cannot be executed is stopped. */
async function fail(container: KnownContainer, report: FailedReport, warn: (warning: string) => void): Promise<never> {
  const { rest } = container.record;
  const error = rest === undefined ? notWaiting(container.record.id) : restError(rest, report);
  if (error.code === "COMMAND_NOT_FOUND" || error.code === "COMMAND_NOT_EXECUTABLE") throw error;
  return await destroyAfter(error, container, warn);
}

async function destroyAfter(
  error: unknown,
  container: KnownContainer,
  warn: (warning: string) => void,
): Promise<never> {
  await destroyContainer(container, warn).catch((second) => {
    if (error instanceof DevboxError) error.alsoFailed.push(second);
  });
  throw error;
}
