/**
 * `devbox hook slirp4netns start|stop`: the network as OCI hooks (runtime-spec config.md "POSIX-platform Hooks"), for
 * bundles that another runtime runs. start belongs to createRuntime and leaves slirp4netns behind, stop to poststop.
 */
import { pidfdOpen } from "../../ffi/libc.ts";
import { DevboxError } from "../core/errors.ts";
import type { PortMapping } from "../core/ports.ts";
import { parsePort } from "./ports.ts";
import { endRecordedProcess, recordProcess } from "./process-record.ts";
import { startSlirp4netns } from "./start-slirp4netns.ts";

/** Name in the box's directory. */
const recordName = "slirp4netns.pid";

interface HookCommand {
  readonly verb: "start" | "stop";
  readonly directory: string;
  readonly helper: string;
  readonly ports: readonly PortMapping[];
}

/**
 * @param stateJson what the runtime wrote to stdin (runtime-spec runtime.md "State").
 * @param argv the words after `hook slirp4netns`, as `contributeSlirp4netns` makes them.
 * @throws DevboxError USAGE, BAD_CONFIG, NETWORK_FAILED, HELPER_MISSING.
 */
export async function runHook(stateJson: string, argv: readonly string[]): Promise<void> {
  const command = parseHookCommand(argv);
  const record = `${command.directory}/${recordName}`;
  if (command.verb === "stop") return endRecordedProcess(record);
  const { directory, helper, ports } = command;
  const pid = readPid(stateJson);
  // Hung up when the process has been reaped (Linux 6.9 on): crun waits for all that its hooks have left behind before it
  // runs those that would end it.
  const exitFd = pidfdOpen(pid);
  const network = await startSlirp4netns({ pid, helper, boxDirectory: directory, ports, exitFd }).ready;
  recordProcess(record, network.pid);
}

function parseHookCommand(argv: readonly string[]): HookCommand {
  const [verb, ...rest] = argv;
  if (verb !== "start" && verb !== "stop") throw badHook(`expected start or stop, got ${verb ?? "nothing"}`);
  const values = { "--directory": "", "--helper": "" };
  const ports: PortMapping[] = [];
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? "";
    if (word === "--directory" || word === "--helper") values[word] = rest[++at] ?? "";
    else ports.push(...parsePort(word));
  }
  const { "--directory": directory, "--helper": helper } = values;
  if (!directory.startsWith("/")) throw badHook("--directory must be an absolute path");
  if (verb === "start" && !helper.startsWith("/")) throw badHook("--helper must be an absolute path");
  return { verb, directory, helper, ports };
}

function badHook(because: string): DevboxError {
  return new DevboxError("USAGE", { step: "run the hook slirp4netns", because });
}

function readPid(stateJson: string): number {
  const fail = (because: string): never => {
    throw new DevboxError("BAD_CONFIG", { step: "read the state that the runtime gives to its hooks", because });
  };
  let state: unknown;
  try {
    state = JSON.parse(stateJson);
  } catch {
    return fail("it is not valid JSON");
  }
  const pid = typeof state === "object" && state !== null && "pid" in state ? state.pid : undefined;
  return typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0 ? pid : fail("pid: expected a process id");
}
