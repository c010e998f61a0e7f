import { expect, test } from "bun:test";
import { explain } from "../../../src/launch/explain.ts";
import { becomeMonitor, type MonitorRequest } from "../../../src/launch/monitor.ts";
import { beginPlan } from "../../../src/launch/plan.ts";

const request: MonitorRequest = {
  descriptors: ["stdout", "stderr", "log", "ended"],
  terminal: false,
  // biome-ignore lint/suspicious/noThenProperty: a request that is never awaited.
  then: { path: "/bin/devbox", args: ["devbox", "__ended", "x"], env: ["A=b"] },
  keep: ["lock", "other"],
  maxLogBytes: 1000,
  maxLogFiles: 2,
};

function lines(more: Partial<MonitorRequest>): string[] {
  const plan = beginPlan("test");
  const child = plan.slot();
  becomeMonitor(plan, { ...request, ...more }, child);
  return explain(plan.finish()).map((line) => line.replace(/^ *\d+ {2}/, ""));
}

test("a monitor, line by line", () => {
  expect(lines({})).toEqual([
    "plan: test",
    "descriptors: stdout, stderr, log, ended, lock, other",
    'name the monitor: prctl(PR_SET_NAME, "devbox-monitor", 0, 0, 0)',
    "leave the session: setsid()",
    'leave the working directory: chdir("/")',
    'open /dev/null: openat(AT_FDCWD, "/dev/null", O_RDWR|O_CLOEXEC, 0) = $1',
    "leave the standard streams: dup3($1, 0, 0)",
    "leave the standard streams: dup3($1, 1, 0)",
    "leave the standard streams: dup3($1, 2, 0)",
    "close /dev/null: close($1)",
    "report started $0",
    "monitor $0: stdout {stdout}, stderr {stderr}, log {log}, ended {ended}; at most 2 log files of 1000 bytes",
    "keep lock: fcntl({lock}, F_DUPFD_CLOEXEC, 100) = $2",
    "keep other: fcntl({other}, F_DUPFD_CLOEXEC, 100) = $3",
    "hand lock on: dup3($2, 10, 0)",
    "hand other on: dup3($3, 11, 0)",
    'execute /bin/devbox: execve("/bin/devbox", ["devbox", "__ended", "x"], ["A=b"])',
  ]);
});

test("with a terminal it receives the master, and has no pipes", () => {
  const shown = lines({ terminal: true, descriptors: ["input", "resize", "console-master"], maxLogBytes: 0, keep: [] });
  const received = shown.findIndex((line) => line.startsWith("receive the terminal"));
  expect(received).toBeGreaterThan(shown.indexOf("report started $0"));
  expect(shown.slice(received, -1)).toEqual([
    "receive the terminal of the box: recvmsg({console-master}, <56 bytes>, MSG_CMSG_CLOEXEC)",
    "close the socket: close({console-master})",
    "$2 = 4 bytes at byte 16 of <24 bytes>",
    "monitor $0: terminal $2, input {input}, resize {resize}",
  ]);
});

test("the program of its health checks is named", () => {
  const beat = { path: "/bin/check", args: ["check"], env: [], intervalMs: 30, startIntervalMs: 5, startPeriodMs: 0 };
  expect(lines({ beat }).find((line) => line.startsWith("monitor"))).toEndWith('; every 30 ms /bin/check ["check"]');
});
