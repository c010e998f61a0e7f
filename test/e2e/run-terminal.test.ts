/** devbox run at a terminal. */
import { expect, test } from "bun:test";
import { boxHome } from "../helpers/box.ts";
import { openTerminal } from "../helpers/terminal.ts";

const { home, image, out } = boxHome();
const run = `"$DEVBOX" run --network none`;

test("the box gets a terminal where stdin and stdout are one, of the same size", async () => {
  await using terminal = openTerminal(home, `${run} ${image} sh -c 'tty; stty size; echo $TERM'`);
  const { shown, exitCode } = await terminal.result;
  expect(shown).toBe("/dev/pts/0\r\n24 80\r\nxterm\r\n");
  expect(exitCode).toBe(0);
});

test("what is typed arrives, and is echoed once", async () => {
  await using terminal = openTerminal(home, `${run} -it ${image} sh -c 'echo ready; read line; echo "got $line"'`);
  await terminal.output(/ready/);
  terminal.type("hello\r");
  expect((await terminal.result).shown).toBe("ready\r\nhello\r\ngot hello\r\n");
});

test("ctrl-c goes to the box, not to devbox", async () => {
  await using terminal = openTerminal(
    home,
    `${run} -it ${image} sh -c 'trap "echo caught; exit 3" INT; echo ready; while :; do sleep 1; done'; echo "status $?"`,
  );
  await terminal.output(/ready/);
  terminal.type("\x03");
  await terminal.output(/caught/);
  expect((await terminal.result).shown).toContain("status 3");
});

test("a change of size arrives", async () => {
  await using terminal = openTerminal(
    home,
    `${run} -it ${image} sh -c 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.1; done'`,
  );
  await terminal.output(/ready/);
  terminal.resize(100, 40);
  await terminal.output(/40 100/);
  expect((await terminal.result).exitCode).toBe(0);
});

test("the terminal is as before afterwards, also when the box set it raw or devbox was ended", async () => {
  await using terminal = openTerminal(
    home,
    [
      "before=$(stty -g)",
      `${run} -it ${image} sh -c 'stty raw -echo; exit 5'; echo "status $?"`,
      `[ "$before" = "$(stty -g)" ] && echo same`,
      `${run} -it ${image} sh -c 'echo up; sleep 100' & `,
      "wait $!",
      "echo done",
    ].join("\n"),
  );
  await terminal.output(/status 5/);
  await terminal.output(/same/);
});

test("-t without a terminal makes one for the box alone", async () => {
  expect(await out("tty", ["-t"])).toMatch(/^\/dev\/pts\/0\r?$/);
});

test("without a terminal there is none", async () => {
  expect(await out("tty; true")).toBe("not a tty");
});
