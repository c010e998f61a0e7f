import { expect, test } from "bun:test";
import { renderFindings } from "../../../../src/cli/commands/doctor.ts";
import { makeStyle } from "../../../../src/cli/ui/terminal.ts";
import type { Finding } from "../../../../src/doctor/finding.ts";

const findings: readonly Finding[] = [
  { name: "kernel", status: "ok", detail: "6.18.0" },
  { name: "slirp4netns", status: "warn", detail: "not found", fix: "sudo apt-get install slirp4netns" },
  {
    name: "user namespaces",
    status: "fail",
    detail: "create: operation not permitted (EPERM)",
    fix: "sudo sysctl -w x=1",
  },
];

test("a line an ability, below it what mends it, and the verdict", () => {
  expect(renderFindings(findings, false, makeStyle(false))).toMatchInlineSnapshot(`
    "RESULT   WHAT              FOUND
    ok       kernel            6.18.0
    warn     slirp4netns       not found
             fix: sudo apt-get install slirp4netns
    fail     user namespaces   create: operation not permitted (EPERM)
             fix: sudo sysctl -w x=1

    Boxes cannot run here: mend what fails.
    "
  `);
});

test("colours change nothing but colours", () => {
  const coloured = renderFindings(findings, true, makeStyle(true));
  expect(coloured).toContain("\x1b[33mwarn\x1b[39m");
  expect(Bun.stripANSI(coloured)).toBe(renderFindings(findings, true, makeStyle(false)));
  expect(coloured).toEndWith("Boxes can run here.\n");
});
